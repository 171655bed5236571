"""The time zones of the places that people name."""

import re
import unicodedata
from functools import cache
from zoneinfo import available_timezones

_REGIONS = {"Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
# Cities and countries after which no zone is named. A country of several zones has its capital's.
_OTHERS = {
    "America/Chicago": "dallas,houston,austin,texas",
    "America/Denver": "salt lake city,colorado",
    "America/Los_Angeles": "california,san francisco,seattle,las vegas,san diego,la",
    "America/New_York": "usa,us,united states,america,washington,boston,miami,atlanta,nyc,philadelphia",
    "America/Sao_Paulo": "brazil,rio,rio de janeiro",
    "America/Toronto": "canada,ottawa,montreal",
    "America/Mexico_City": "mexico",
    "Asia/Dubai": "abu dhabi,emirates,uae",
    "Asia/Kolkata": "india,mumbai,delhi,new delhi,bangalore,bengaluru,chennai",
    "Asia/Seoul": "korea,south korea",
    "Asia/Shanghai": "china,beijing,peking,shenzhen",
    "Asia/Tokyo": "japan,osaka,kyoto",
    "Australia/Sydney": "australia,canberra",
    "Europe/Amsterdam": "netherlands,rotterdam",
    "Europe/Berlin": "germany,munich,munchen,hamburg,cologne,koln,frankfurt,leipzig",
    "Europe/Istanbul": "turkey,ankara",
    "Europe/Kyiv": "ukraine",
    "Europe/London": "uk,england,united kingdom,britain,scotland,edinburgh,manchester",
    "Europe/Madrid": "spain,barcelona",
    "Europe/Moscow": "russia",
    "Europe/Paris": "france,lyon,marseille",
    "Europe/Rome": "italy,milan,naples,venice",
    "Europe/Vienna": "austria,wien,salzburg",
    "Europe/Warsaw": "poland,krakow",
    "Europe/Zurich": "switzerland,geneva,basel,bern",
    "Pacific/Auckland": "new zealand,wellington",
    "UTC": "utc,gmt,greenwich",
}


def zone_of(place: str) -> str | None:
    return _zones().get(_folded(place))


@cache
def _zones() -> dict[str, str]:
    """By the folded names of their places."""
    cities = {
        _folded(name.rpartition("/")[2]): name
        for name in sorted(available_timezones())
        if name.partition("/")[0] in _REGIONS
    }
    others = {place: name for name, places in _OTHERS.items() for place in places.split(",")}
    return cities | others


def _folded(place: str) -> str:
    letters = unicodedata.normalize("NFKD", place.lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", plain.replace("_", " "))).removeprefix("the ")
