"""What is taken for a title or a summary, and what is not."""

import time

import pytest

from parley.services.follow_up_service import SUMMARY_LENGTH, TITLE_LENGTH, read_summary, read_title

TITLES = [
    *("Where parrots sleep", "I can't sleep at night", "I cannot open my door", "We can't have nice things"),
    *("Sorry seems to be the hardest word", "Unfortunately timed jokes", "Apologies in business letters"),
    *(
        "As an artist in Berlin",
        "I must have coffee",
        "I have to move house",
        "I won't dance, lyrics",
        "C++ or Rust?",
    ),
    *(
        "Help with homework",
        "Providing for a family",
        "2 + 2",
        "Why do parrots never fall? A guide",
        "Title insurance",
    ),
    *("Untitled paintings of Rothko", "Errors in Python", "None of the above", "Please Please Me, the album"),
    *("Wo Papageien schlafen", "Entschuldigung für die Schule schreiben", "Ich kann nicht schlafen"),
    *("Où dorment les perroquets", "Je ne peux pas dormir", "¿Dónde duermen los loros?", "No puedo dormir"),
    *("Onde dormem os papagaios", "Não posso comer glúten", "Dove dormono i pappagalli", "Non posso dormire"),
    *(
        "Waar papegaaien slapen",
        "Ik kan niet slapen",
        "Var papegojor sover",
        "Gdzie śpią papugi",
        "Nie mogę spać",
    ),
    *(
        "Papağanlar nerede uyur",
        "Di mana burung beo tidur",
        "Vẹt ngủ ở đâu",
        "Где спят попугаи",
        "Я не могу уснуть",
    ),
    *(
        "Де сплять папуги",
        "鹦鹉在哪里睡觉",
        "我不能睡觉怎么办",
        "抱歉信的写法",
        "オウムはどこで眠るか",
        "앵무새는 어디에서 자나",
    ),
    *("أين تنام الببغاوات", "عذر غياب عن المدرسة", "तोते कहाँ सोते हैं", "क्षमा का महत्व", "איפה ישנים תוכים"),
    *("นกแก้วนอนที่ไหน", "Πού κοιμούνται οι παπαγάλοι", "Kde spí papoušci", "Hol alszanak a papagájok"),
]
REFUSALS = [
    *("I'm sorry, but I can't help with that.", "I’m sorry, but I can’t assist with that request.", "Sorry."),
    *(
        "Sorry, I can't do that.",
        "I am so sorry but no.",
        "I can't help with that.",
        "I cannot provide a title.",
    ),
    *(
        "I'm unable to assist with this.",
        "I am not able to create that.",
        "I won't write that.",
        "I must decline.",
    ),
    *(
        "Unfortunately, I cannot continue.",
        "As an AI, I have no opinion.",
        "My apologies, but no.",
        "I apologize.",
    ),
    *("Please provide the conversation.", "Sure! Please share the message.", "**I cannot comply with this**"),
    *("I don't have enough information.", "I have to refuse this.", "I don't see any conversation."),
    *("Es tut mir leid, aber dabei kann ich nicht helfen.", "Leider, das geht nicht.", "Tut mir leid."),
    *("Ich kann dir dabei nicht helfen.", "Entschuldigung, das geht nicht.", "Je suis désolé, mais non."),
    *(
        "Désolée, je ne peux pas.",
        "Je ne peux pas vous aider avec cela.",
        "Lo siento, pero no puedo ayudar con eso.",
    ),
    *("No puedo ayudarte con eso.", "Desculpe, mas não.", "Não posso ajudar com isso.", "Sinto muito."),
    *("Mi dispiace, ma non posso.", "Non posso aiutarti con questo.", "Het spijt me, dat kan niet."),
    *(
        "Ik kan u daar niet mee helpen.",
        "Tyvärr, det går inte.",
        "Przepraszam, ale nie.",
        "Nie mogę w tym pomóc.",
    ),
    *(
        "Üzgünüm, yardımcı olamam.",
        "Maaf, tidak bisa.",
        "Saya tidak dapat membantu.",
        "Xin lỗi, tôi không thể giúp.",
    ),
    *("Извините, я не могу помочь.", "Я не могу помочь с этим.", "К сожалению, нет.", "Вибачте, ні."),
    *(
        "抱歉，我无法协助。",
        "很抱歉，我不能提供。",
        "对不起，我不能帮助你。",
        "我无法提供帮助。",
        "抱歉我不能回答",
    ),
    *(
        "申し訳ありませんが、お手伝いできません。",
        "すみません、お答えできません。",
        "この内容には対応できません。",
    ),
    *(
        "죄송합니다. 도와드릴 수 없습니다.",
        "죄송하지만, 안 됩니다.",
        "عذرًا، لا أستطيع.",
        "لا يمكنني مساعدتك.",
    ),
    *("क्षमा करें, मैं मदद नहीं कर सकता।", "माफ़ करें, नहीं।", "ขออภัย, ไม่ได้"),
]
BLANKS = ["", " ", "\n\n", "\t", "\u200b", "\ufeff", "\u3164", "\u00ad\u200d", "\x07", "\u2800"]
MARKUP = [
    '{"title": "Parrots"}',
    '["Parrots"]',
    "<title>Parrots</title>",
    "<think>Parrots",
    "{",
    '```json\n{"a": 1}\n```',
]
SIGNS = ["…", "...", "—", "?!", '""', "***", "``", "🦜", "“”", "$", "#"]
NOTHING = ["None", "null", "N/A", "Untitled", "undefined", "Title:", "No title."]
LONG = [
    "a" * (TITLE_LENGTH + 1),
    "Parrots sleep in trees, on cliffs and in holes, and the reason is simple: " + "safety. " * 5,
]
LINES = ["Parrots\nSleep", "Parrots\n\nWhy? Because.", "Parrots\rSleep", "Parrots\u2028Sleep", "1. A\n2. B"]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_in_any_language_is_taken(title: str) -> None:
    assert read_title(title) == title
    for written in (f'"{title}"', f"**{title}**", f"# {title}", f"\n{title}\n", f"“{title}”", f"«{title}»"):
        assert read_title(written) == title


@pytest.mark.parametrize("said", [*REFUSALS, *BLANKS, *MARKUP, *SIGNS, *NOTHING, *LONG, *LINES])
def test_what_is_no_title_is_not_taken(said: str) -> None:
    for written in (said, f"\n{said} ", f'"{said}"', f"*{said}*"):
        assert read_title(written) is None


TRANSCRIPT = "user:\nWhere do parrots sleep?\n\nassistant:\nIn trees.\n\n" * 200
SUMMARIES = [
    "Ada (42) asks where parrots sleep. Answer so far: in trees. Open: why they never fall.",
    "- The user is Ada.\n- She keeps two parrots.\n- Open question: what they eat.",
    "**Summary:** Ada wants to know about parrots. [Source: her own notes] She has two.",
    "# Summary\n\nThe user can't sleep at night and asks for help. Sorry was said twice.",
    "I can't sleep, writes Ada, and she asks what parrots do about noise at night.",
    "[Ada] asked about parrots and their sleep; nothing is decided yet.",
    "Ada möchte wissen, wo Papageien schlafen; es tut ihr leid, dass sie zu spät fragt.",
    "用户叫艾达，养了两只鹦鹉，想知道鹦鹉在哪里睡觉，为什么晚上不会掉下来。",
    "ユーザーはエイダさんで、オウムがどこで眠るのかを知りたがっています。",
    "사용자는 에이다이며 앵무새가 어디에서 자는지, 왜 떨어지지 않는지 알고 싶어 합니다.",
    "Пользователь Ада спрашивает, где спят попугаи и почему они не падают.",
    "المستخدمة آدا تسأل أين تنام الببغاوات ولماذا لا تسقط من الغصن.",
    "उपयोगकर्ता अदा जानना चाहती हैं कि तोते कहाँ सोते हैं और क्यों नहीं गिरते।",
]
NO_SUMMARIES = [
    *("Parrots.", "A summary", "ok", "The user said hi", "a" * (SUMMARY_LENGTH + 1), "-" * 500, "🦜" * 50),
    *('{"error": "the model is loading, try again"}', '["Ada", "parrots", "trees", "branches", "night"]'),
    *(
        "<html><body>Bad gateway, please try again later</body></html>",
        '```json\n{"summary": "Ada asks about it"}\n```',
    ),
    *(
        "{the answer of a template engine that failed to render}",
        "Please provide the conversation to summarize.",
    ),
    "I don't have enough context to write a summary of this conversation.",
]


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_summary_in_any_language_is_taken(summary: str) -> None:
    assert read_summary(f"\n{summary}\n", TRANSCRIPT) == summary


@pytest.mark.parametrize("said", [*REFUSALS, *BLANKS, *SIGNS, *NOTHING, *NO_SUMMARIES])
def test_what_cannot_stand_for_a_conversation_is_not_taken(said: str) -> None:
    assert read_summary(said, TRANSCRIPT) is None


def test_a_summary_is_no_longer_than_what_it_stands_for() -> None:
    assert read_summary("parrots " * 500, TRANSCRIPT[:3_000]) is None
    assert read_summary("parrots " * 300, TRANSCRIPT[:3_000]) is not None


@pytest.mark.parametrize("word", [" ", "도와 ", "मैं ", "i can't ", "お", "\u200b", "<", "{", "[", "`"])
def test_a_long_answer_is_judged_at_once(word: str) -> None:
    started = time.monotonic()
    read_summary(word * (500_000 // len(word)), TRANSCRIPT)
    read_title(word * (500_000 // len(word)))
    assert time.monotonic() - started < 2
