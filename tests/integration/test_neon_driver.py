"""The stand-in for Neon, our transport and Neon's official driver agree about every kind of statement."""

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pg8000.dbapi
import pytest

from local.postgres import Postgres
from parley.neon import _LETTERS, connector
from parley.postgres import Address, OneFlush
from tests.neon import Neon, serve

E2E = Path(__file__).parents[1] / "e2e"
WAYS = ("http", "batch", "websocket")
# Without types, as a parameter is sent.
STATEMENTS: list[tuple[str, list[Any]]] = [
    ("select 1 as one, 'a' as two, null as three", []),
    ("select $1::int, $2::bigint, $3::numeric", ["7", "-9223372036854775808", "1.50"]),
    ("select $1::text, $2::text, $3::text", ["", 'quote " \' \\ backslash', "straße 漢字 🙂\nline"]),
    ("select $1::text, $2::int", [None, None]),
    ("select $1::jsonb, $2::json", ['{"b": [1, null, "x"], "a": {}}', '[1,  2, "z"]']),
    ("select $1::text[], array[]::int[]", ['{a,NULL,"NULL","with \\" quote","back\\\\slash","","c,d"}']),
    ("select array[[1,2],[3,null]], array['{x}', 'y z', null]", []),
    ("select $1::timestamptz", ["2026-11-30 12:00:00.123456+01"]),
    ("select $1::timestamp, $2::date", ["1999-12-31", "0044-03-15 BC"]),
    ("select $1::bytea, ''::bytea", ["\\x00ff41"]),
    ("select 'NaN'::float8, '-Infinity'::float8, '-0'::float8, 'NaN'::numeric", []),
    ("select 1e-300::float8, 0.1::float4", []),
    ("select true, false, $1::bool", ["t"]),
    ("select $1::uuid, $2::interval", ["00000000-0000-4000-8000-000000000000", "1 day 02:00"]),
    ("select $1::inet", ["10.0.0.1/8"]),
    ("select 1 as same, 2 as same", []),
    ("select generate_series(1, 3) as n", []),
    ("select * from conversation where false", []),
    ("select from conversation where false", []),
    ("insert into conversation (id, user_id, title) select gen_random_uuid(), 'alice', 't' where false", []),
    ("update conversation set title = 't' where false returning id, title", []),
    ("delete from conversation where false", []),
    ("with made as (select 1 as n) select n from made", []),
    ("set application_name = 'x'", []),
    ("show server_version", []),
    ("values (1, 'a'), (2, null)", []),
    ("do $$ begin null; end $$", []),
    # Errors.
    ("create temporary table if not exists scratch (id int primary key)", []),
    ("selekt 1", []),
    ("select 1; select $1::text", ["without parameters, the WebSocket allows it"]),
    ("select * from nothing", []),
    ("select $1::int", ["x"]),
    ("select 1 / $1::int", ["0"]),
    ("select nothing from conversation", []),
    ("insert into conversation (id, user_id, title) values (gen_random_uuid(), 'bob', 't')", []),
    ("insert into conversation (id, user_id, title) values (null, 'alice', 't')", []),
    ("select $1::text, $2::text", ["too few"]),
    ("select 1", ["too many"]),
    ("do $$ begin raise exception 'own' using errcode = 'P0042', detail = 'd', hint = 'h'; end $$", []),
]  # fmt: skip


@pytest.fixture(scope="module")
def rig(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neon]:
    with serve(tmp_path_factory.mktemp("neon"), postgres.app_url) as rig:
        yield rig


@pytest.fixture(scope="module")
def official(postgres: Postgres, rig: Neon) -> list[dict[str, Any]]:
    """What Neon's driver got, statement by statement."""
    assert (E2E / "node_modules/@neondatabase").exists(), "missing: npm ci --prefix tests/e2e"
    task = {"connectionString": postgres.app_url, "port": rig.port, "statements": STATEMENTS}
    # Node.js 20 has WebSocket behind this flag only.
    command = ["node", "--experimental-websocket", "--no-warnings", "neon_driver.mjs"]
    done = subprocess.run(
        command, cwd=E2E, input=json.dumps(task), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("number", range(len(STATEMENTS)), ids=lambda number: STATEMENTS[number][0][:50])
def test_the_official_driver_gets_the_same_each_way(number: int, official: list[dict[str, Any]]) -> None:
    results = {way: _comparable(official[number][way]) for way in WAYS}
    assert results["http"] == results["websocket"]
    assert results["batch"] == results["websocket"] or "row-level security" in str(results["http"])


@pytest.mark.parametrize("way", ["http", "batch", "tcp"])
@pytest.mark.parametrize("number", range(len(STATEMENTS)), ids=lambda number: STATEMENTS[number][0][:50])
def test_ours_gets_what_the_official_driver_gets(
    number: int, way: str, official: list[dict[str, Any]], rig: Neon, postgres: Postgres
) -> None:
    text, params = STATEMENTS[number]
    expected = official[number]["websocket" if way == "tcp" else way]
    address = Address(postgres.app_url)
    ours = address.connect(OneFlush) if way == "tcp" else connector(address, rig.http_url)()
    ours.pg_types = defaultdict(lambda: str)
    ours.user_id = "alice" if way == "batch" else None
    try:
        context = ours.execute_unnamed(text, params)
    except pg8000.dbapi.DatabaseError as error:
        fields = error.args[0]
        assert fields["M"] == expected["message"]
        for name, letter in _LETTERS.items():
            if name != "message":
                assert fields.get(letter) == expected["error"].get(name), name
    else:
        columns = [(column["name"], column["type_oid"]) for column in context.columns or []]
        assert columns == [(field["name"], field["dataTypeID"]) for field in expected["fields"]]
        assert (context.rows or []) == expected["rows"]
        assert context.row_count == (-1 if expected["rowCount"] is None else expected["rowCount"])
    finally:
        ours.close()


def _comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Without what the two transports name differently."""
    if "error" not in result:
        return result
    error = {name: result["error"].get(name) for name in _LETTERS if name != "message"}
    return {"message": result["message"], "error": error}
