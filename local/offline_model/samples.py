"""The texts that show what the page can show."""

import re
from itertools import cycle, islice

FILLER = (
    "The quick brown fox jumps over the lazy dog while seven wizards boil black quartz under a pale moon."
)

TABLE = """\
The table that I know shows planets:

| Planet | Moons | Day | Year |
| :-- | --: | --: | --: |
| Mercury | 0 | 176 days | 88 days |
| Venus | 0 | 117 days | 225 days |
| **Earth** | 1 | 24 hours | 365 days |
| Mars | 2 | 25 hours | 687 days |

A *day* is from noon to noon."""

LIST = """\
What belongs into a small boat:

1. For the way
   - a compass, because batteries run out
   - a chart of *this* coast
2. For the weather
   - oilskins
   - a hat that stays on
3. For **everyone** on board: a life jacket"""

TASKS = """\
Before the walk:

- [x] look at the weather
- [x] tell somebody where you go
- [ ] fill the bottles
- [ ] pack the rain jacket"""

MATHS = """\
The solutions of $ax^2 + bx + c = 0$ are

$$
x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}
$$

and the area beneath the bell curve is

$$
\\int_{-\\infty}^{\\infty} e^{-x^2} \\, dx = \\sqrt{\\pi}.
$$"""

OTHER_WAY = """\
Arabic runs from right to left:

مرحبًا! كيف يمكنني مساعدتك اليوم؟

- القاهرة
- بيروت

English goes on from left to right."""

_CODE = {
    "Python": """\
def fibonacci(count: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:count]


print(fibonacci(10))""",
    "TypeScript": """\
function fibonacci(count: number): number[] {
  const numbers = [0, 1];
  while (numbers.length < count) numbers.push(numbers.at(-1)! + numbers.at(-2)!);
  return numbers.slice(0, count);
}

console.log(fibonacci(10));""",
    "Rust": """\
fn main() {
    let (mut a, mut b) = (0u64, 1u64);
    for _ in 0..10 {
        println!("{a}");
        (a, b) = (b, a + b);
    }
}""",
    "SQL": """\
with recursive fibonacci (n, a, b) as (
    select 1, 0, 1
    union all
    select n + 1, b, a + b from fibonacci where n < 10
)
select a from fibonacci;""",
    "Bash": """\
a=0 b=1
for _ in {1..10}; do
  echo "$a"
  next=$((a + b)) a=$b b=$next
done""",
}
_LANGUAGES = {name.lower(): name for name in _CODE} | {
    "javascript": "TypeScript",
    "js": "TypeScript",
    "ts": "TypeScript",
    "shell": "Bash",
    "postgres": "SQL",
}

KEY_EXCHANGE = """\
They mix something that everyone may see with something that each of them keeps. This is the key exchange of
Diffie and Hellman:

1. In public they agree on a prime $p$ and a number $g$.
2. Ada thinks of a number $a$ and tells $A = g^a \\bmod p$. Bob thinks of $b$ and tells $B = g^b \\bmod p$.
3. Ada computes $B^a \\bmod p$ and Bob $A^b \\bmod p$. Both get

$$
s = g^{ab} \\bmod p,
$$

and nobody told it. Who listens knows $p$, $g$, $A$ and $B$, and to find $a$ from $A$ takes longer than the
universe is old, if $p$ has some 600 digits. With small numbers:

```python
p, g = 23, 5
a, b = 6, 15
A, B = pow(g, a, p), pow(g, b, p)
assert pow(B, a, p) == pow(A, b, p) == 2
```

It does not tell them *who* they talk to. For that they need signatures."""

DECLINE = """\
> Dear Sam,
>
> thank you for thinking of me. I would have liked to come, but I cannot make it on that day.
>
> I hope that it will be a lovely evening, and that you will ask me again. May I call you next week?
>
> Warmly,
> …

Say the day in the first sentence if they need to plan, and leave the reason out unless they would miss it."""

THANKS = """\
> Dear Sam,
>
> thank you for your help last week. Without you it would have taken me twice as long, and half the fun.
>
> Next time it is my turn.
>
> Warmly,
> …"""

APOLOGY = """\
> Dear Sam,
>
> I am sorry that I kept you waiting on Monday. I had written down the wrong hour, and I ought to have called.
>
> May I make up for it with a coffee this week?
>
> Warmly,
> …"""

JOKE = "There are 10 kinds of people: those who read binary, and those who do not."

_DAYS = (
    ("Arrive, and walk the short way round the valley", "Look at the maps together", "Early to bed"),
    ("Set out at seven, up to the pass", "Rest at the lake, then over the ridge", "Soup at the hut"),
    ("The summit while the air is clear", "Down through the forest", "Stretch, and dry the boots"),
    ("Sleep long, and mend what broke", "A bath in the river", "Cards, and stories"),
)
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}


def filler(words: int) -> str:
    return " ".join(islice(cycle(FILLER.split()), words))


def code(language: str) -> str:
    known = _LANGUAGES.get(language.lower())
    name = known or "Python"
    begin = f"The first Fibonacci numbers, in {name}:"
    if language and not known:
        begin = f"I know no {language}. {begin}"
    return f"{begin}\n\n```{name.lower()}\n{_CODE[name]}\n```"


def plan(days: str, subject: str) -> str:
    count = min(_NUMBERS.get(days.lower()) or int(days if days.isdecimal() else 3), 14)
    rows = (
        f"| {number} | {' | '.join(row)} |" for number, row in enumerate(islice(cycle(_DAYS), count), start=1)
    )
    table = "\n".join(["| Day | Morning | Afternoon | Evening |", "| --: | :-- | :-- | :-- |", *rows])
    subject = re.sub(r"^(?:an?|the|my|our)\s+", "", subject.strip()) or "a walk"
    return (
        f"## {subject[:1].upper()}{subject[1:]}\n\n{table}\n\n"
        "- Take **two litres** of water each, and something dry to change into.\n"
        "- Turn round at two in the afternoon, wherever you are.\n"
        "- Tell somebody which way you go.\n\n"
        "How fit are you, and in which month will it be?"
    )


def long_answer(subject: str) -> str:
    sections = (
        f"## {number}. {heading}\n\nOn {subject}, part {number} of 6. {FILLER} {FILLER}\n\n"
        f"- a first point about **{subject}**\n- a second one, with `some code` in it\n\n> {FILLER}"
        for number, heading in enumerate(("Beginning", "Reasons", "Examples", "Doubts", "Numbers", "End"), 1)
    )
    table = "| part | length |\n| --- | --- |\n| first | long |\n| last | longer |"
    return "\n\n".join(
        [f"# A long answer about {subject}", *sections, "```python\nprint('done')\n```", table]
    )
