/** Four phrases in each of 20 languages, without a character that means something in markdown. */
const PHRASES: Record<string, [string, string, string, string]> = {
  en: ["The ferry leaves at nine", "bring a warm coat", "it takes two hours", "see you there"],
  de: ["Die Fähre fährt um neun", "bring einen Mantel mit", "es dauert zwei Stunden", "bis später"],
  fr: ["Le bateau part à neuf heures", "prends un manteau", "c’est très loin", "à bientôt"],
  es: ["¿A qué hora sale el barco?", "lleva un abrigo", "son dos horas más", "¡hasta mañana!"],
  pt: ["O barco sai às nove", "leva um casaco", "são duas horas de viagem", "até amanhã"],
  it: ["Il traghetto parte alle nove", "porta un cappotto", "ci vogliono due ore", "è così"],
  pl: ["Prom odpływa o dziewiątej", "weź ciepły płaszcz", "to dwie godziny", "żółć i źdźbło"],
  cs: [
    "Trajekt odjíždí v devět",
    "vezmi si teplý kabát",
    "trvá to dvě hodiny",
    "příliš žluťoučký kůň",
  ],
  tr: [
    "Vapur dokuzda kalkıyor",
    "kalın bir palto getir",
    "iki saat sürüyor",
    "İstanbul’da görüşürüz",
  ],
  vi: ["Phà khởi hành lúc chín giờ", "nhớ mang áo ấm", "mất hai tiếng", "hẹn gặp lại ở đó"],
  ru: ["Паром отходит в девять", "возьми тёплое пальто", "дорога займёт два часа", "до встречи"],
  el: ["Το πλοίο φεύγει στις εννέα", "πάρε ένα παλτό", "διαρκεί δύο ώρες", "τα λέμε εκεί"],
  he: ["המעבורת יוצאת בתשע", "קח מעיל חם", "זה לוקח שעתיים", "נתראה שם"],
  ar: ["تغادر العبّارة في التاسعة", "أحضر معطفًا دافئًا", "تستغرق ساعتين", "أراك هناك"],
  fa: ["کشتی ساعت نه حرکت می‌کند", "یک کت گرم بیاور", "دو ساعت طول می‌کشد", "آنجا می‌بینمت"],
  hi: ["नाव नौ बजे निकलती है", "एक गर्म कोट लाना", "दो घंटे लगते हैं", "वहाँ मिलते हैं"],
  th: ["เรือออกตอนเก้าโมง", "เอาเสื้อกันหนาวมาด้วย", "ใช้เวลาสองชั่วโมง", "แล้วเจอกันที่นั่น"],
  zh: ["渡轮九点出发", "请带一件外套", "需要两个小时", "到时候见🚢"],
  ja: ["フェリーは九時に出ます", "上着を持ってきて", "二時間かかります", "そこで会いましょう"],
  ko: ["배는 아홉 시에 떠나요", "따뜻한 외투를 가져와요", "두 시간 걸려요", "거기서 봐요"],
};

/** What stands between ⟦ and ⟧ is markdown's own: all else has to be seen. A digit in braces stands for a phrase. */
const TEMPLATES = [
  "{0}. {1}, {2}!\n{3}",
  "{0} ~100 … ~200, {1} ~ {2}~{3} ⟦~~⟧{0}⟦~~⟧",
  "⟦**⟧{0}⟦**⟧ {1} ⟦*⟧{2}⟦*⟧ ⟦_⟧{3}⟦_⟧ 2 * 3 * 4 snake_case_name",
  "{0} Vector<int>, <Enter> if a<b and c>d <b>⟦**⟧{1}⟦**⟧</b><br> <!-- {2} --> <{3}>",
  "<div>\n{0}\n</div>\n\n<script>alert('{1}')</script>\n\n<details><summary>{2}</summary>\n\n{3}",
  "{0}https://example.com/a，{1} (www.example.org/b_(c)) a@example.com。{2} https://例.com/{3}",
  "⟦[⟧{0}⟦][1]⟧ {1} ⟦[⟧{2}⟦](https://example.com/a_b)⟧ [{3}]\n\n{2}\n\n⟦[1]: https://example.com⟧",
  "⟦- [ ] ⟧{0}\n⟦- [x] ⟧{1}\n  ⟦1. ⟧{2}\n\n     {3}",
  "⟦| ⟧{0}⟦ | ⟧{1}⟦ |\n| --- | :-: |\n| ⟧{2}⟦ | ⟧a<b {3}⟦ |⟧",
  "{0}\n\n⟦```py\n⟧print('{1} <b> ~x~ **')\n\n# $x$\n⟦```⟧\n\n{2} ⟦`⟧a_b**<{3}>⟦`⟧",
  "⟦# ⟧{0}\n\n⟦> ⟧{1}\n⟦> ⟧{2}\n\n⟦---⟧\n\n{3}\n⟦===⟧",
  "{0} $5 and $10, {1} US$3, 4$ ({2}) ⟦\\⟧$HOME \\d ⟦\\⟧(see this⟦\\⟧) {3}",
  "{0} ⟦$⟧x^2⟦$ \\(⟧a_1*b*c⟦\\)⟧ {1}\n\n⟦$$⟧\nc = d_1\n⟦$$\n\n\\[⟧\n+ e\n⟦\\]⟧\n\n{2}\n\n$$\n{3}",
  "{0}⟦[^n]⟧ {1} [^{2}]\n\n⟦[^n]: ⟧{3}",
  "{0} *{1} ** _ __ [ ] ( ) ![ ` ~~ ~~~ \\ # + - | {2} *** &nosuch; ~~~{3}",
];

const filled = (template: string, phrases: string[]) =>
  template.replace(/\{(\d)\}/g, (_, index: string) => phrases[Number(index)] ?? "");

/** 300 texts by language: their markdown, and what has to be seen of it. */
export const CORPUS = Object.entries(PHRASES).map(([language, phrases]) => ({
  language,
  texts: TEMPLATES.map((template): [source: string, visible: string] => [
    filled(template.replace(/[⟦⟧]/g, ""), phrases),
    filled(template.replace(/⟦[^⟧]*⟧/g, ""), phrases),
  ]),
}));
