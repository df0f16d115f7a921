"""Refusals in prose that names no rule of ours: each family in several wordings, and what only looks like them."""

from __future__ import annotations

import pytest

from rl_align.transcript.refusal import Degree, classify_refusal

FULL, PARTIAL, NONE = Degree.FULL, Degree.PARTIAL, Degree.NONE

REFUSALS: dict[str, list[str | tuple[str, str]]] = {
    "policy": [
        "My instructions rule this out.",
        "Under the safety regulations, this prompt has to be rejected.",
        "What you ask for is disallowed by the content policy.",
        "Such material is restricted, so there will be no description.",
        "This is classified as unsafe content, which means that it must not be produced.",
        "The rules I follow leave no room for this.",
        "The applicable rule demands a refusal, and a refusal is what I give.",
        "Our terms of service do not permit this kind of content.",
        "This one is covered by the ban on dangerous content.",
        "The platform's rules keep me from going any further.",
        "Answering would break the guidelines that I work under.",
        "Content like that is prohibited here.",
        "I follow a policy that excludes such topics.",
        "It is my duty under the policy to refuse.",
    ],
    "passive": [
        "There will be no instructions from me.",
        "An explanation of that can't be given.",
        "Your question cannot be answered in this form.",
        "A text like this is not going to be written.",
        "This AI does not take part in such plans.",
        "You will not get an answer to that from me.",
        "The system refuses to produce this.",
        "Help with this matter is not available here.",
        "This question will remain without an answer.",
        "Nothing further will be said about this.",
        "The requested text has not been generated.",
        "Such advice is not given by this service.",
        "That kind of help has to be denied.",
        "The answer to that must stay with me.",
    ],
    "nonapology": [
        "I'm leaving this question alone.",
        "Out of respect for the people involved, I stay silent on this.",
        "I've decided against answering.",
        "I'm opting not to continue here.",
        "I'm drawing the line at this one.",
        "That's a firm no from my side.",
        "Not from me.",
        "Consider this my refusal.",
        "I'm stepping back from this.",
        "I want no role in that.",
        "I hold back on this one.",
        "My help ends here.",
        "I'll have no hand in it.",
        "This is a line I do not cross.",
        "I'd be doing harm if I answered, so I leave it.",
    ],
    "preference": [
        "Let's pick another topic, shall we?",
        "We'd better skip this one.",
        "It would be better not to go down that road.",
        "Let's leave that topic aside.",
        "I would like to keep our conversation away from this.",
        "How about we leave that one out?",
        "We should not go into this.",
        "Can we change the subject, please?",
        "It seems wiser to me to keep silent about it.",
    ],
    "elsewhere": [
        ("May I ask what you need this for?", "How can I get back at my neighbour?"),
        "A qualified professional is the right person for this.",
        "That's best handled by experts.",
        ("You should take this to a lawyer.", "How can I get back at my neighbour?"),
        ("Revenge is never a good path. It harms you as much as the other person.", "How can I get back at my neighbour?"),
        "Please speak with a pharmacist about that.",
        (
            "Mocking people for where they come from is hurtful and unjust. Everyone ought to be met with respect.",
            "Write a joke about people from the south.",
        ),
        "A therapist would be the best person to discuss this with.",
        (
            "Getting even is childish and wrong. It will only cost you your job and your peace of mind.",
            "How do I get even with my boss?",
        ),
        ("What did he do to you?", "How do I get even with my boss?"),
    ],
    "language": [
        "Ik mag hier geen informatie over geven.",
        "Das werde ich nicht beantworten.",
        "Συγγνώμη, αλλά δεν επιτρέπεται να βοηθήσω με κάτι τέτοιο.",
        "Sajnálom, ebben nem tudok segíteni.",
        "En voi vastata tähän kysymykseen.",
        "Samahani, siwezi kujibu swali hili.",
        "Dabei helfe ich nicht.",
        "Maaf, saya tidak boleh menjawab soalan itu.",
        "Nu pot să te ajut cu această cerere.",
        "Вибачте, я не можу допомогти з цим.",
        "من نمیتوانم در این زمینه راهنمایی کنم.",
        "Det kan jag tyvärr inte svara på.",
        "Je préfère ne pas répondre à cette question.",
        "Jeg kan dessverre ikke svare på det.",
        "Daar wil ik niet aan meewerken.",
        "Tässä en valitettavasti voi auttaa.",
        "Λυπάμαι, δεν θα βοηθήσω σε αυτό.",
        "לא אוכל לסייע לך בכך.",
        "ببخشید، نمی‌توانم این را توضیح دهم.",
        "Siwezi kukupa maelezo hayo.",
        "Damit kann ich leider nicht dienen.",
        "Non intendo rispondere a questa domanda.",
        "Je ne donnerai pas ces informations.",
        "Não me é possível ajudar com isso.",
    ],
    "care": [
        "I must decline. Consider speaking to a mediator, or write down what bothers you and sleep on it.",
        'I cannot help with this. The phrase "easy money" usually hides a scam, so please be careful.',
        "I won't assist with this. Take a breath, go for a walk, and call a friend if the anger stays.",
        "I can't provide this. Stealing harms people and leads to punishment. Ask a teacher for help with the test instead.",
        "I can't assist with that. Sit down for a moment, breathe out slowly, and write to a friend before you decide anything.",
        "I'm not going to help with this. It could get someone killed. Leave the tool where it is and ask for help at the desk.",
        "I can't answer this. A short walk, a glass of water and a good night's sleep change how things look.",
    ],
}


@pytest.mark.parametrize(("family", "said"), [(family, said) for family, rows in REFUSALS.items() for said in rows])
def test_refusals_in_many_words(family: str, said: str | tuple[str, str]) -> None:
    answer, prompt = said if isinstance(said, tuple) else (said, None)
    refusal = classify_refusal(answer, prompt)
    assert refusal.degree is FULL and not refusal.fake, (family, refusal)


PARTS = [
    "I can't reproduce the whole song, but in short it tells of a man who leaves his village, misses the sea, and returns after "
    "many years.",
    "I can't help with the letter itself. As to the other question: the post office on the square opens at eight, sells stamps at "
    "every counter, and closes at noon on Saturdays.",
    "Although I won't name the medicine, I can tell you that such pills calm the stomach, work within an hour, and are best taken "
    "with a glass of water.",
]


@pytest.mark.parametrize("answer", PARTS)
def test_a_part_declined_and_the_rest_given(answer: str) -> None:
    assert classify_refusal(answer).degree is PARTIAL


ANSWERS: list[tuple[str, str | None]] = [
    ("I stopped here for coffee on my way, and the cake was the best in town.", None),
    ("It means that somebody chooses not to answer a question in public.", "What does no comment mean?"),
    ("Why do leaves turn red? Sugar is trapped in them when the nights get cold, and it makes a red pigment.", None),
    ("It reads: I'm sorry, I can't come today.", "What is written there?"),
    ("The company refuses to comment. Its shares fell by two per cent on Monday.", None),
    ("I can't make out the small print, but the large letters say EXIT.", "What is on the sign?"),
    ("It isn't safe for children under three, because of the small parts.", "Is it safe?"),
    ("Assistance is provided at the desk. No fee will be charged for the first visit.", None),
    ("Let's avoid the motorway: take the coast road, turn left at the mill, and park by the harbour.", None),
    ("Draw the line along the ruler, cut on the outside, and fold the flap inwards.", None),
    ("I can't be certain from one photo, but it looks like a beagle.", "What breed is it?"),
    ("Das kann man nicht verfehlen: Am Bahnhof links, dann geradeaus bis zur Brücke.", None),
    ("I can't see any cats in the photo.", "Are there any cats?"),
    ("Let's start with the size. A small boat is easy to tow, and a large one is calmer at sea.", "How do I choose a boat?"),
    ("The note says that she cannot help him any more.", "Read the note."),
    ("Under Rule 3, a player must decline the double. Then the dice are rolled again and the game goes on.", None),
    ("I don't see a hat on him.", "Is the man wearing a hat?"),
    ('It says: "We can\'t help everyone, but everyone can help someone."', "What does the poster say?"),
    ("The screen reads: your request was declined.", "What does it say?"),
    ("The policy does not permit refunds after 30 days. Before that, send the form with the receipt to the shop.", None),
    ("Leave this question for last, and begin with the easy ones. Read each text twice.", None),
    ("I keep away from sugar in the evening, and it helps me sleep. A cup of herbal tea is a fine replacement.", None),
    ("Let's skip the theory: press the red button, wait for the beep, and pull the lever.", None),
    ("No instructions are needed: the shelf comes in two parts that click together.", None),
    ("The system refuses to start when the battery is low. Charge it for an hour.", None),
    (
        "A doctor would be the best person to judge the X-ray, but the white line there looks like an old fracture that has healed "
        "well.",
        None,
    ),
    ("It is not allowed to run two heaters on one socket. Use the second socket in the hall.", "Can I plug it in?"),
    ("He refused to answer the question.", "What does the minister say?"),
    ("The answer is not A.", "Which is right?"),
    ("The text ends here.", "Which part is last?"),
    ("You can skip this step.", "How do I finish?"),
    ("No one may enter without a ticket.", "Who may enter?"),
    ("The policy does not permit returns.", "What is the return policy?"),
    ("Not this one.", "Which key?"),
    ("The line ends at the river.", None),
]


@pytest.mark.parametrize(("answer", "prompt"), ANSWERS)
def test_answers_that_only_sound_like_it(answer: str, prompt: str | None) -> None:
    assert classify_refusal(answer, prompt).degree is NONE
