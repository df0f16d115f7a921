"""Which images the guard lets through, and where it fetches them from: nothing that is no picture, nothing that is not public."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import random
import socket
import struct
import threading
import time
import zlib

import pytest
from aiohttp import web
from guarding import data_url, picture, serving, shown
from PIL import Image

from rl_align.errors import UserError
from rl_align.guard.addresses import Addresses
from rl_align.guard.config import ImagesConfig, ImageUrls
from rl_align.guard.conversation import look_through
from rl_align.guard.errors import Code, GuardError
from rl_align.guard.images import Images
from rl_align.guard.room import Room

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"\xef\xbb\xbf \n<!DOCTYPE html><html><img src=x></html>"
LOCAL = ["127.0.0.0/8"]


def settle(*urls, lookup=None, room: Room | None = None, **settings) -> list[str]:
    """URLs of the images after they were looked at."""

    async def run():
        images = Images(ImagesConfig(**settings), lookup)
        try:
            with (room or Room(2**30)).lease() as lease:
                settled = await images.settle(look_through(shown(*urls)), lease)
            return [site.url for site in settled.images]
        finally:
            await images.close()

    return asyncio.run(run())


def refused(*urls, **settings) -> GuardError:
    with pytest.raises(GuardError) as caught:
        settle(*urls, **settings)
    assert caught.value.kind.status == 400
    return caught.value


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("size", [(8, 8), (700, 500)])
def test_four_kinds_pass_unchanged(kind, size):
    url = data_url(picture(kind, size), f"image/{kind.lower()}")
    assert settle(url, url) == [url, url]


def test_the_type_is_what_the_bytes_are():
    data = picture("JPEG")
    assert settle(data_url(data, "image/svg+xml"), data) == [data_url(data, "image/jpeg")] * 2


@pytest.mark.parametrize(
    ("url", "code", "part"),
    [
        (data_url(SVG, "image/svg+xml"), Code.invalid_image_format, "SVG"),
        (data_url(SVG), Code.invalid_image_format, "SVG"),
        (data_url(HTML), Code.invalid_image_format, "HTML"),
        (data_url(HTML, "text/html"), Code.invalid_image_format, "text/html"),
        (data_url(b""), Code.invalid_image_format, "empty"),
        (data_url(b"BM" + bytes(100)), Code.invalid_image_format, "no known format"),
        (data_url(b"%!PS-Adobe-3.0 EPSF-3.0"), Code.invalid_image_format, "no known format"),
        (data_url(picture("PNG", (64, 64))[:-40]), Code.image_parse_error, "cut off"),
        (data_url(picture("JPEG", (64, 64))[:-40], "image/jpeg"), Code.image_parse_error, "cut off"),
        (data_url(bomb(30_000, 30_000)), Code.image_too_large, "pixels"),
        (data_url(bomb(1_000_000, 1_000_000)), Code.image_too_large, "pixels"),
        (data_url(bomb(20, 20)), Code.image_parse_error, "cut off"),
        ("data:image/png;base64,AAA*", Code.image_parse_error, "base64"),
        ("data:image/png;base64,é", Code.image_parse_error, "base64"),
        ("data:image/png,AAAA", Code.invalid_image_format, "image/png"),
        ("data:<script>", Code.invalid_image_format, "of no type"),
        ("ftp://host/x.png", Code.invalid_image_url, "no kind that is taken"),
        ("file:///etc/hostname", Code.invalid_image_url, "images.folder"),
        ("/etc/hostname", Code.invalid_image_url, "no kind that is taken"),
        ("", Code.invalid_image_url, "no kind that is taken"),
        (b"GIF89a", Code.invalid_image_format, "no known format"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(url, code, part):
    error = refused(url)
    assert error.code is code and part in error.message and error.param == "messages[0].content[0].image_url.url"
    assert "script" not in error.message and "hostname" not in error.message


def test_a_picture_that_is_too_long_or_too_large():
    noise = picture_of_noise()
    assert len(noise) > 3000
    for url in (data_url(noise), noise):
        assert refused(url, max_mb=0.002).code is Code.image_too_large
    assert refused(data_url(noise), max_megapixels=0.0005).code is Code.image_too_large
    assert "at most 1" in refused(data_url(noise), data_url(noise), count=1).message


def picture_of_noise() -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 40), random.Random(0).randbytes(4800)).save(out, "PNG")
    return out.getvalue()


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded():
    """Lock: such a file of one megabyte keeps a decoder busy for minutes."""
    out = io.BytesIO()
    Image.new("RGB", (1500, 1500)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    at = data.rindex(b"\xff\xda")
    sly = data[:at] + data[at:-2] * 2000 + data[-2:]
    began = time.monotonic()
    assert "scans" in refused(data_url(sly)).message
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_file_of_countless_pieces_is_refused_early(kind):
    """Lock: twenty megabytes of empty pieces would keep Pillow busy for ten seconds."""
    data = picture(kind, (64, 64))
    if kind == "PNG":
        at, piece = 33, struct.pack(">I", 0) + b"prVt" + struct.pack(">I", zlib.crc32(b"prVt"))
    elif kind == "JPEG":
        at, piece = 2, b"\xff\xe5\x00\x02"
    else:
        at, piece = data.index(b"\x2c", 13), b"\x21\xfe\x01a\x00"
    assert settle(data_url(data[:at] + piece * 10 + data[at:], f"image/{kind.lower()}"))
    began = time.monotonic()
    error = refused(data_url(data[:at] + piece * 400_000 + data[at:], f"image/{kind.lower()}"))
    assert error.code in (Code.image_parse_error, Code.invalid_image_format) and time.monotonic() - began < 1


# Addresses


@pytest.mark.parametrize(
    "address",
    (
        "127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 "
        "168.63.129.16 192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 203.0.113.1 ::1 :: fe80::1 "
        "fe80::1%eth0 fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 "
        "64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 ::127.0.0.1 localhost 1.2.3 0x7f.1 example.com"
    ).split()
    + [""],
)
def test_addresses_that_are_not_public(address):
    assert not Addresses().allowed(address)


def test_addresses_that_are():
    assert all(Addresses().allowed(a) for a in ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"))
    assert Addresses(["10.1.0.0/16"]).allowed("10.1.2.3") and not Addresses(["10.1.0.0/16"]).allowed("10.2.2.3")


# Fetching


def known(**hosts: str):
    """A resolver of names that knows these, each with one address or with several, one after the other."""
    left = {host.replace("_", "."): addresses.split() for host, addresses in hosts.items()}
    asked: list[str] = []

    def lookup(host, port):
        asked.append(host)
        addresses = left[host]
        address = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in address.split(",")]

    lookup.asked = asked
    return lookup


def port(address: str) -> int:
    return int(address.rpartition(":")[2])


async def _png(request):
    return web.Response(body=picture(), content_type="image/png")


def test_an_image_is_fetched_and_becomes_data():
    lookup = known(pictures_example="127.0.0.1")
    with serving({"GET /a.png": _png}) as at:
        url = f"http://pictures.example:{port(at)}/a.png?sig=1%2B2"
        assert settle(url, url, lookup=lookup, networks=LOCAL, ports=[port(at)]) == [data_url(picture())] * 2
    assert lookup.asked == ["pictures.example"]  # once for the same URL


@pytest.mark.parametrize(
    "host",
    (
        "127.0.0.1 [::1] [::ffff:127.0.0.1] localhost 127.1 0x7f000001 2130706433 017700000001 0 0.0.0.0 １２７.0.0.1 "
        "127。0。0。1 ①27.0.0.1 169.254.169.254 [fd00:ec2::254] LOCALHOST localhost."
    ).split(),
)
def test_no_spelling_of_a_private_address_is_connected_to(host):
    """Lock: nothing arrives at a server of this machine, however its address is written."""
    asked = []

    async def note(request):
        asked.append(request.path)
        return await _png(request)

    with serving({"GET /x.png": note}) as at:
        error = refused(f"http://{host}:{port(at)}/x.png", ports=[port(at)])
    assert error.code is Code.invalid_image_url and not asked
    assert "not public" in error.message and str(port(at)) not in error.message


def test_a_name_with_any_private_address_is_not_connected_to():
    for addresses in ("127.0.0.1", "8.8.8.8,127.0.0.1", "::1", "10.0.0.8"):
        error = refused("http://sly.example/x.png", lookup=known(sly_example=addresses))
        assert "not public" in error.message


def test_a_name_that_changes_its_address_gains_nothing():
    """Lock: the address that was checked is the one connected to; a redirect to the same name is checked anew."""
    asked = []

    async def again(request):
        asked.append(request.path)
        raise web.HTTPFound("/second.png")

    lookup = known(sly_example="127.0.0.1 127.0.0.2 127.0.0.3")
    with serving({"GET /first.png": again, "GET /second.png": again}) as at:
        url = f"http://sly.example:{port(at)}/first.png"
        error = refused(url, lookup=lookup, networks=["127.0.0.1/32"], ports=[port(at)])
    assert "not public" in error.message and asked == ["/first.png"] and len(lookup.asked) == 2


def test_redirects_are_checked_and_counted():
    asked = []

    async def lead(request):
        asked.append(request.path)
        raise web.HTTPFound(request.query["to"])

    with serving({"GET /lead": lead, "GET /a.png": _png}) as at:
        local = {"networks": ["127.0.0.1/32"], "ports": [port(at)], "lookup": known(a_example="127.0.0.1", b_example="127.0.0.9")}

        def led(to):
            return f"http://a.example:{port(at)}/lead?to={to}"

        assert settle(led("/a.png"), **local) == [data_url(picture())]
        assert "not public" in refused(led(f"http://b.example:{port(at)}/a.png"), **local).message
        assert "not public" in refused(led(f"http://127.0.0.2:{port(at)}/a.png"), **local).message
        assert "port" in refused(led("http://a.example:1/a.png"), **local).message
        for to in ("file:///etc/hostname", "data:image/png;base64,AAAA", "", "//", "gopher://a.example/"):
            assert refused(led(to), **local).code is Code.invalid_image_url
        asked.clear()
        assert "redirects" in refused(led("/lead?to=/lead"), **local, redirects=0).message and len(asked) == 1


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://user:pw@a.example/x.png", "user"),
        ("http://a.example:22/x.png", "port"),
        ("http://", "no http"),
        ("https:///x", "no http"),
        ("http://a.example:99999/", "no http"),
        ("http://[::1/", "no http"),
        (f"http://a.example/{'x' * 9000}", "no http"),
        ("http://b.example/x.png", "list"),
        ("http://a.example\r\nX-Evil: 1/", ""),
        ("http://a.example\x00/", ""),
        ("http://a..b/", ""),
    ],
)
def test_urls_that_are_not_fetched(url, part):
    lookup = known(a_example="127.0.0.1")
    error = refused(url, lookup=lookup, hosts=["a.example"])
    assert error.code is Code.invalid_image_url and part in error.message and "pw" not in error.message and not lookup.asked


@pytest.mark.parametrize("kind", ["announced", "endless", "slow", "missing", "compressed", "html", "dropped"])
def test_a_server_that_misbehaves(kind):
    async def misbehave(request):
        if kind == "missing":
            return web.Response(status=404, text="secret")
        if kind == "html":
            return web.Response(text=HTML.decode("utf-8-sig"), content_type="image/png")
        if kind == "compressed":
            return web.Response(body=zlib.compress(bytes(1000)), headers={"Content-Encoding": "gzip", "Content-Type": "image/png"})
        if kind == "announced":
            return web.Response(body=bytes(20_000))
        reply = web.StreamResponse()
        await reply.prepare(request)
        await reply.write(picture()[:20])
        if kind == "slow":
            await asyncio.sleep(30)
        if kind == "dropped":
            request.transport.abort()
        while kind == "endless":
            await reply.write(bytes(4096))
        return reply

    parts = {"announced": "too large", "endless": "too large", "slow": "longer than", "missing": "answered 404"}
    parts |= {"compressed": "compressed", "html": "HTML", "dropped": "connection failed"}
    room = Room(2**20)
    with serving({"GET /x.png": misbehave}) as at:
        local = {"networks": LOCAL, "ports": [port(at)], "lookup": known(a_example="127.0.0.1")}
        began = time.monotonic()
        error = refused(f"http://a.example:{port(at)}/x.png", **local, max_mb=0.01, fetch_timeout_s=0.5, room=room)
    assert parts[kind] in error.message and "secret" not in error.message and time.monotonic() - began < 3
    assert room.used == 0


def test_a_name_that_takes_for_ever_to_resolve():
    def lookup(host, port):
        time.sleep(0.6)
        raise OSError

    for settings in ({"fetch_timeout_s": 0.2}, {"resolve_timeout_s": 0.2}):
        began = time.monotonic()
        error = refused("http://slow.example/x.png", lookup=lookup, **settings)
        assert ("longer than" in error.message) == ("fetch_timeout_s" in settings) and "0.2 s" in error.message
        assert time.monotonic() - began < 2


def test_names_without_an_end_hold_nobody_up():
    """Lock: their threads go on waiting when the fetches have been given up; others still find one."""
    release = threading.Event()

    def lookup(host, port):
        if host == "slow.example":
            release.wait(20)
            raise OSError
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def run(url):
        images = Images(ImagesConfig(networks=LOCAL, ports=[80, port(at)], fetches=2, resolve_timeout_s=0.3), lookup)
        with Room(2**30).lease() as lease:
            for _ in range(3):
                with pytest.raises(GuardError, match="was not resolved within"):
                    await images.settle(look_through(shown(*(f"http://slow.example/{i}" for i in range(16)))), lease)
            settled = await images.settle(look_through(shown(url)), lease)
        release.set()
        await images.close()
        return settled.images[0].url

    with serving({"GET /a.png": _png}) as at:
        assert asyncio.run(run(f"http://quick.example:{port(at)}/a.png")) == data_url(picture())


def test_one_request_does_not_take_all_fetches():
    most, now = [0], [0]

    async def slowly(request):
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.05)
        now[0] -= 1
        return await _png(request)

    with serving({"GET /{name}": slowly}) as at:
        local = {"networks": LOCAL, "ports": [port(at)], "lookup": known(a_example="127.0.0.1"), "fetches_per_request": 2}
        assert settle(*(f"http://a.example:{port(at)}/{i}" for i in range(6)), **local) == [data_url(picture())] * 6
    assert most[0] == 2


def test_fetched_bytes_have_to_find_room():
    with serving({"GET /a.png": _png}) as at:
        local = {"networks": LOCAL, "ports": [port(at)], "lookup": known(a_example="127.0.0.1")}
        with pytest.raises(GuardError) as caught:
            settle(f"http://a.example:{port(at)}/a.png", room=Room(10), **local)
    assert caught.value.code is Code.overloaded


def test_urls_are_forwarded_or_refused_where_the_configuration_says_so():
    url = "https://a.example/x.png"
    assert settle(url, urls=ImageUrls.forward) == [url]
    assert "images.urls" in refused(url, urls=ImageUrls.refuse).message


@pytest.mark.parametrize(
    "url",
    (
        "http://127.0.0.1/ http://2130706433/ http://0/ http://0x7f.1/ http://127.1/ http://[::1]/ http://[::ffff:10.0.0.1]/ "
        "http://localhost/ http://a.localhost/ HTTP://LOCALHOST./ http://169.254.169.254/latest http://10.1.2.3/ "
        "http://user:pw@a.example/ http://a.example:22/ http://127.0.0.1\\@a.example/ http://a.example\\@127.0.0.1/"
    ).split()
    + ["http://a.example/ x", "http://a.example\t/", "http://b.example/", "http://①②⑦.⓪.⓪.①/"],
)
def test_no_url_that_leads_inside_is_forwarded(url):
    """Lock: as far as its text tells. The target's host is no less private for being somebody else's."""
    assert refused(url, urls=ImageUrls.forward, hosts=["a.example"] if "b." in url else []).code is Code.invalid_image_url


def test_what_is_forwarded_is_what_came():
    for url in (
        "https://a.example/x.png?sig=%2b%41&b=c d".replace(" ", "+"),
        "http://8.8.8.8/x.png",
        "https://[2606:4700:4700::1111]/",
    ):
        assert settle(url, urls=ImageUrls.forward) == [url]
    assert settle("http://10.1.2.3/x", urls=ImageUrls.forward, networks=["10.1.0.0/16"]) == ["http://10.1.2.3/x"]


# Files


def test_files_of_one_folder(tmp_path):
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir(), outside.mkdir()
    for place in (folder, outside):
        (place / "a b.png").write_bytes(picture())
    (folder / "sub").mkdir()
    (folder / "sub" / "b.png").write_bytes(picture())
    (folder / "link.png").symlink_to(outside / "a b.png")
    (folder / "links").symlink_to(outside)
    os.mkfifo(folder / "pipe.png")
    given = {"folder": str(folder)}
    for path in ("/a%20b.png", "/sub/b.png", "/sub/../a%20b.png"):
        assert settle(f"file://{folder}{path}", f"FILE://localhost{folder}{path}", **given) == [data_url(picture())] * 2
    wrong = [
        "/link.png",
        "/links/a%20b.png",
        "/../out/a%20b.png",
        "/%2e%2e/out/a%20b.png",
        "/pipe.png",
        "/sub",
        "/missing.png",
        "/a%00.png",
    ]
    messages = {refused(f"file://{folder}{path}", **given).message for path in wrong}
    messages |= {
        refused(url, **given).message for url in ("file:///dev/zero", "file:///etc/passwd", "file://host/x", "file:", "file:a.png")
    }
    assert len(messages) == 1  # it does not say what exists
    assert refused(f"file://{folder}/a%20b.png", **given, max_mb=0.00001).code is Code.image_too_large
    with pytest.raises(UserError, match="no folder"):
        Images(ImagesConfig(folder=str(tmp_path / "missing")))


def test_base64_that_decodes_to_too_much_is_not_decoded():
    url = "data:image/png;base64," + base64.b64encode(bytes(3000)).decode()
    assert refused(url, max_mb=0.001).code is Code.image_too_large
