"""Every image of a chat looked at, and put into the chat as a `data:` URL with its true type."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re

from .addresses import Addresses
from .config import ImagesConfig, ImageUrls
from .conversation import Conversation
from .errors import Code, GuardError
from .fetch import Fetcher, Lookup
from .files import Folder
from .messages import ImageSite
from .pictures import EXPECTED, Pictures
from .room import Lease
from .urls import Urls

_DATA_URL = re.compile(r"data:(image/[a-z0-9.+-]{1,40});base64,", re.IGNORECASE)
_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_SHOWN = re.compile(r"[a-z0-9.+/-]{1,40}", re.IGNORECASE)


class Images:
    """Settles images.

    Args:
        cfg: Which are let through.
        lookup: Resolves host names, blocking; the system's resolver by default.

    Raises:
        UserError: `cfg.folder` is no folder.
    """

    def __init__(self, cfg: ImagesConfig, lookup: Lookup | None = None):
        self._cfg = cfg
        self._lookup = lookup
        self._pictures = Pictures(cfg)
        self._folder = Folder(cfg.folder) if cfg.folder is not None else None
        self._urls = Urls(cfg, Addresses(cfg.networks))
        self._fetcher: Fetcher | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def settle(self, conversation: Conversation, lease: Lease) -> Conversation:
        """The chat with every image checked. Nothing has gone anywhere before the last one is.

        Args:
            conversation: The chat.
            lease: Pays for bytes that are fetched or read.

        Raises:
            GuardError: An image that is not let through, and why.
        """
        sites = conversation.images
        if not sites:
            return conversation
        if len(sites) > self._cfg.count:
            what = f"the request holds {len(sites)} images; expected at most {self._cfg.count} in all turns together"
            raise GuardError(Code.too_many_images, what, param=sites[self._cfg.count].param)
        urls: dict[str | bytes, str] = {}
        remote: dict[str, ImageSite] = {}
        for site in sites:
            if isinstance(site.url, str) and _REMOTE.match(site.url):
                remote.setdefault(site.url, site)
            elif site.url not in urls:
                urls[site.url] = await self._local(site, lease)
        if remote:
            urls |= await self._all_remote(remote, lease)
        return conversation.with_images([urls[site.url] for site in sites])

    async def close(self) -> None:
        """Closes connections and threads."""
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None:
            await fetcher.close()
        self._pictures.close()

    async def _local(self, site: ImageSite, lease: Lease) -> str:
        url = site.url
        if isinstance(url, bytes):
            return _data_url(await self._pictures.check(url, site.param), url)
        head = _DATA_URL.match(url)
        if head is not None:
            kind = await self._pictures.check(self._decoded(url, head.end(), site.param), site.param)
            # Some decoders go by the declared type.
            return url if head[1].lower() == kind else f"data:{kind};base64,{url[head.end() :]}"
        if url[:5].lower() == "data:":
            declared = _SHOWN.match(url, 5)
            what = f"the image's data: URL is {declared[0] if declared else 'of no type'}; {EXPECTED} as data:image/…;base64,…"
            raise GuardError(Code.invalid_image_format, what, param=site.param)
        if url[:5].lower() == "file:" and self._folder is not None:
            args = url, self._pictures.max_bytes, self._pictures.too_large(site.param), site.param
            data = await asyncio.to_thread(self._folder.read, *args)
            lease.take(len(data))
            return _data_url(await self._pictures.check(data, site.param), data)
        expected = "https://…, http://… or data:image/…;base64,…"
        if self._folder is None:
            expected += "; files are read only from a folder that is configured (images.folder)"
        raise GuardError(
            Code.invalid_image_url, f"the image's URL is of no kind that is taken; expected {expected}", param=site.param
        )

    def _decoded(self, url: str, start: int, param: str) -> bytes:
        if (len(url) - start) // 4 * 3 > self._pictures.max_bytes + 2:
            raise self._pictures.too_large(param)
        try:
            return base64.b64decode(url[start:], validate=True)
        except (binascii.Error, ValueError):
            raise GuardError(Code.image_parse_error, "the image's data: URL is not valid base64", param=param) from None

    async def _all_remote(self, sites: dict[str, ImageSite], lease: Lease) -> dict[str | bytes, str]:
        if self._cfg.urls is ImageUrls.forward:
            return {url: self._urls.forwarded(url, site.param) for url, site in sites.items()}
        if self._cfg.urls is ImageUrls.refuse:
            what = "image URLs are not taken here (images.urls); send the image as data:image/…;base64,…"
            raise GuardError(Code.invalid_image_url, what, param=next(iter(sites.values())).param)
        # A request that shows many images must not take all fetches to itself.
        slots = asyncio.Semaphore(self._cfg.fetches_per_request)
        failed: list[GuardError] = []

        async def remote(site: ImageSite) -> str:
            async with slots:
                if failed:  # the task is about to be cancelled
                    raise failed[0]
                try:
                    return await self._remote(site, lease)
                except GuardError as error:
                    failed.append(error)
                    raise

        tasks = [asyncio.create_task(remote(site)) for site in sites.values()]
        try:
            return dict(zip(sites, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _remote(self, site: ImageSite, lease: Lease) -> str:
        data = await self._bound().fetch(str(site.url), lease.take, site.param)
        return _data_url(await self._pictures.check(data, site.param), data)

    def _bound(self) -> Fetcher:
        """The fetcher of the running event loop."""
        loop = asyncio.get_running_loop()
        if self._fetcher is None or self._loop is not loop:
            self._fetcher, self._loop = Fetcher(self._cfg, self._pictures.max_bytes, self._lookup), loop
        return self._fetcher


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
