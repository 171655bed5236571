"""How models begin when they decline, in the languages that are heard most.

Titles begin so as well ("I can't sleep", "Sorry seems to be the hardest word"). So an apology has to go on as
a sentence, and what cannot be done has to be what models are asked for.
"""

import re

_APOLOGIES = (
    r"(i(['’]m| am)( so| very)? )?sorry|my apologies|i apologi[sz]e|unfortunately|regrettably|as an ai",
    r"(es )?tut mir (sehr )?leid|entschuldigung|leider",
    r"(je suis )?(vraiment )?désolée?|malheureusement",
    r"(lo )?(siento|lamento)( mucho)?|disculp[ae]|lamentablemente",
    r"desculpe|sinto muito|infelizmente|lamentavelmente",
    r"mi dispiace|mi scuso|purtroppo",
    r"het spijt me|helaas|beklager|tyvärr|desværre|przepraszam|niestety",
    r"üzgünüm|maalesef|maaf|xin lỗi|rất tiếc|ขออภัย|ขอโทษ",
    r"извините|простите|к сожалению|вибачте|на жаль",
    r"(非常|很|真的)?抱歉|对不起|對不起",
    r"申し訳(ありません|ございません|ないです)|すみません|ごめんなさい",
    r"(정말 )?(죄송|미안)(합니다|하지만|해요)",
    r"عذر(ًا|اً|ا)|آسف|أعتذر|للأسف",
    r"क्षमा करें|मा(फ़|फ़|फ) (करें|कीजिए)|मुझे खेद है",
)
_GOES_ON = (
    r"\s*[,.;:!?،，。、！—–-]|\s*$",
    r"\s+(but|i|i['’]\w+|aber|mais|je|pero|mas|ma|kan|jag|а|но)\b",
    r"我|が|けど",
)
# "…" stands for the rest of a clause.
_UNABLE = (
    r"i(['’]m| am)? (can['’]?t|cannot|can not|won['’]?t|unable|not able)\b…\b(help|assist|provid|creat"
    r"|generat|fulfil|comply|answer|summari|discuss|continue|engage|support|respond|produc|writ"
    r"|do (that|this))",
    r"i (must|have to) (decline|refuse)",
    r"i (do not|don['’]t) (have enough (information|context)|see (a|an|any|the)\b)",
    r"(sure|certainly|of course)?\W*(please|could you|can you)( please)? (provide|share|paste|send)\b",
    r"(ich|das|dabei|dazu) (kann|darf)\b…\b(nicht|keine?n?)\b…(helfen|beantwort|erstellen|schreiben|geben)",
    r"je ne (peux|suis|puis)\b…\b(aider|répondre|fournir|créer|résumer|générer|écrire|discuter|donner)",
    r"no (puedo|es posible)\b…(ayud|respond|proporcion|crear|gener|resum|escrib|cumpl|ofrec)",
    r"não (posso|consigo)\b…(ajud|respond|fornec|criar|gerar|resum|escrev|cumpr)",
    r"non posso\b…(aiut|rispond|fornir|crear|generar|riassum|scriver)",
    r"ik kan\b…\b(niet|geen)\b…(helpen|geven|maken)|jag kan\b…\binte\b…(hjälp|svara|skapa|ge)",
    r"nie mogę\b…(pomóc|odpowied|utworzy|napisa|podać)|bu\b…(yardımcı olamam|edemem|veremem)",
    r"saya tidak (dapat|bisa)\b…(bantu|jawab|buat|beri)|tôi không thể…(giúp|trả lời|tạo)",
    r"я не (могу|можу)\b…(помо|ответ|предостав|созда|написа|выполн|обсужд|допомо|відпов)",
    r"我(无法|無法|不能|没办法)…(帮|幫|协助|協助|提供|回答|处理|處理|生成|创建|讨论|总结|完成|满足)",
    r"…(お(手伝い|答え)|対応|提供|作成)(は|を)?(でき|いた(だけ|し)かね)",
    r"…(도와|도움|답변|제공|작성)…(없습니다|어렵습니다)",
    r"لا (أستطيع|يمكنني)\b…(مساعد|تقديم|إنشاء|الإجابة|كتابة)|मैं …(मदद|सहायता|उत्तर|जवाब)…नहीं",
)
_REFUSAL = re.compile(
    rf"\W*(({'|'.join(_APOLOGIES)})({'|'.join(_GOES_ON)})|{'|'.join(_UNABLE)})".replace(
        "…", r"[^.,;:!?，。\n]*"
    ),
    re.IGNORECASE,
)


# The expression takes time that grows with the square of the length.
_BEGINNING = 200


def is_refusal(said: str) -> bool:
    return _REFUSAL.match(said[:_BEGINNING]) is not None
