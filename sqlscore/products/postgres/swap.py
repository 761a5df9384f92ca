"""Putting a staged table in another's place on PostgreSQL, and what forbids it.

Everything happens in the unit's transaction: readers see the old rows until it commits.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sqlscore.products.postgres.text import identifier, quoted
from sqlscore.transports.failures import translated

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from sqlscore.products.product import Unit

LOCK_SECONDS = 3  #: that a swap waits for the readers of the old table, each time it is tried

_DEPENDENTS = sa.text("""
    WITH it AS (SELECT CAST(to_regclass(:name) AS oid) AS oid)
    SELECT what FROM (
        SELECT CASE v.relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view '
                              ELSE 'rule on ' END || CAST(CAST(v.oid AS regclass) AS text) AS what
          FROM it JOIN pg_depend d ON d.refobjid = it.oid AND d.refclassid = 'pg_class'::regclass
          JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
          JOIN pg_class v ON v.oid = r.ev_class
        UNION
        SELECT 'foreign key ' || quote_ident(c.conname) || ' of '
               || CAST(CAST(c.conrelid AS regclass) AS text)
          FROM it JOIN pg_constraint c ON c.contype = 'f' AND it.oid IN (c.confrelid, c.conrelid)
        UNION
        SELECT 'publication ' || quote_ident(p.pubname)
          FROM it JOIN pg_publication_rel pr ON pr.prrelid = it.oid
          JOIN pg_publication p ON p.oid = pr.prpubid
        UNION
        SELECT 'trigger ' || quote_ident(t.tgname)
          FROM it JOIN pg_trigger t ON t.tgrelid = it.oid AND NOT t.tgisinternal
        UNION
        SELECT 'policy ' || quote_ident(p.polname) FROM it JOIN pg_policy p ON p.polrelid = it.oid
        UNION
        SELECT 'row level security' FROM it JOIN pg_class c ON c.oid = it.oid AND c.relrowsecurity
        UNION
        SELECT 'inheritance with ' || CAST(CAST(
                   CASE it.oid WHEN i.inhparent THEN i.inhrelid ELSE i.inhparent END AS regclass)
                   AS text)
          FROM it JOIN pg_inherits i ON it.oid IN (i.inhparent, i.inhrelid)
        UNION
        SELECT 'partitions' FROM it JOIN pg_class c ON c.oid = it.oid AND c.relkind = 'p'
        UNION
        SELECT 'sequence ' || CAST(CAST(s.oid AS regclass) AS text)
          FROM it JOIN pg_depend d ON d.refobjid = it.oid AND d.refclassid = 'pg_class'::regclass
                                  AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
          JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        UNION
        SELECT 'function ' || CAST(CAST(d.objid AS regprocedure) AS text)
          FROM it JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = it.oid
                                  AND d.classid = 'pg_proc'::regclass
        UNION
        SELECT 'type used by ' || CAST(CAST(a.attrelid AS regclass) AS text)
          FROM it JOIN pg_class c ON c.oid = it.oid
          JOIN pg_type y ON y.oid = c.reltype
          JOIN pg_attribute a ON a.atttypid IN (y.oid, y.typarray) AND NOT a.attisdropped
        UNION
        SELECT 'generated or default column ' || quote_ident(a.attname)
          FROM it JOIN pg_attribute a ON a.attrelid = it.oid AND a.atthasdef AND NOT a.attisdropped
        UNION
        SELECT 'statistics ' || quote_ident(s.stxname)
          FROM it JOIN pg_statistic_ext s ON s.stxrelid = it.oid
    ) AS found WHERE what IS NOT NULL ORDER BY what
""")


def dependents(connection: Connection, table: Table) -> tuple[str, ...]:
    """What would be lost with the table, or go on with the old rows, by kind and name."""
    with translated(f"looking for what depends on {table.fullname}"):
        return tuple(connection.scalars(_DEPENDENTS, {"name": quoted(table)}))


# Grants, owner, comments and storage options of the first relation, as statements for the second.
_PROPERTIES = sa.text("""
    WITH old AS (SELECT * FROM pg_class WHERE oid = to_regclass(:old)),
    given AS (
        SELECT 0 AS attnum, '' AS columns, g.* FROM old, aclexplode(old.relacl) g
         WHERE g.grantee <> old.relowner
        UNION ALL
        SELECT a.attnum, format(' (%I)', a.attname), g.*
          FROM old JOIN pg_attribute a ON a.attrelid = old.oid, aclexplode(a.attacl) g
         WHERE NOT a.attisdropped AND EXISTS (
               SELECT 1 FROM pg_attribute n WHERE n.attrelid = to_regclass(:new)
                                              AND n.attname = a.attname AND NOT n.attisdropped)
    ), grants AS (
        SELECT format('GRANT %s%s ON %s TO %s%s', privilege_type, columns, :new,
                      CASE grantee WHEN 0 THEN 'PUBLIC'
                                   ELSE quote_ident(pg_get_userbyid(grantee)) END,
                      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
          FROM given
    ), comments AS (
        SELECT format('COMMENT ON TABLE %s IS %L', :new, d.description)
          FROM old JOIN pg_description d ON d.objoid = old.oid AND d.objsubid = 0
                                        AND d.classoid = 'pg_class'::regclass
        UNION ALL
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', :new, a.attname, d.description)
          FROM old JOIN pg_attribute a ON a.attrelid = old.oid
          JOIN pg_description d ON d.objoid = old.oid AND d.objsubid = a.attnum
                               AND d.classoid = 'pg_class'::regclass
         WHERE EXISTS (SELECT 1 FROM pg_attribute n WHERE n.attrelid = to_regclass(:new)
                          AND n.attname = a.attname AND NOT n.attisdropped)
    )
    SELECT statement FROM grants UNION ALL SELECT * FROM comments
    UNION ALL
    SELECT format('ALTER TABLE %s OWNER TO %I', :new, pg_get_userbyid(old.relowner)) FROM old
     WHERE old.relowner <> (SELECT relowner FROM pg_class WHERE oid = to_regclass(:new))
""")

_SCHEMA = sa.text(
    "SELECT CAST(relnamespace AS regnamespace)::text FROM pg_class WHERE oid = to_regclass(:name)"
)
_CONSTRAINTS = sa.text("""
    SELECT c.conname, pg_get_constraintdef(c.oid)
      FROM pg_constraint c
     WHERE c.conrelid = to_regclass(:name) AND c.contype IN ('p', 'u', 'c', 'x')
     ORDER BY array_position(ARRAY['p', 'u', 'x', 'c'], CAST(c.contype AS text)), c.conname
""")
# Indexes that no constraint owns: name, and the definition behind the name of the table.
_INDEXES = sa.text("""
    SELECT name, is_unique, substr(definition, length(head) + 1) AS rest
      FROM (SELECT i.relname AS name, x.indisunique AS is_unique,
                   pg_get_indexdef(x.indexrelid) AS definition,
                   format('CREATE %sINDEX %I ON %I.%I',
                          CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
                          i.relname, n.nspname, t.relname) AS head
              FROM pg_index x
              JOIN pg_class i ON i.oid = x.indexrelid
              JOIN pg_class t ON t.oid = x.indrelid
              JOIN pg_namespace n ON n.oid = t.relnamespace
             WHERE x.indrelid = to_regclass(:name)
               AND NOT EXISTS (SELECT 1 FROM pg_constraint c
                                WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u', 'x'))
           ) AS found
     WHERE starts_with(definition, head)
     ORDER BY name
""")


def swap(unit: Unit, staged: Table, table: Table) -> None:
    """Rename the staged table into the place of `table`, which is dropped, in the unit.

    Constraints and indexes are made before the old table is locked; they get its names, and the
    table its grants, comments and owner. Without CASCADE: what depends on it is an error.
    """
    old, new = quoted(table), quoted(staged)
    renames = _constraints(unit, old, new) + _indexes(unit, old, new)
    # everybody who comes after a lock that waits waits too: rather give up, and try again later
    _run(unit, f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    _run(unit, f"LOCK TABLE {old} IN ACCESS EXCLUSIVE MODE")
    for (statement,) in unit.fetch(_PROPERTIES.bindparams(old=old, new=new)):
        _run(unit, statement)
    place, home = _schema(unit, old), _schema(unit, new)
    _run(unit, f"DROP TABLE {old}")
    if place != home:
        _run(unit, f"ALTER TABLE {new} SET SCHEMA {place}")
    final = f"{place}.{identifier(table.name)}"
    _run(unit, f"ALTER TABLE {place}.{identifier(staged.name)} RENAME TO {identifier(table.name)}")
    for kind, now, then in renames:
        of = f"TABLE {final} RENAME CONSTRAINT {now}"
        of = of if kind == "constraint" else f"INDEX {place}.{now} RENAME"
        _run(unit, f"ALTER {of} TO {identifier(then)}")


_Rename = tuple[str, str, str]  # constraint or index; its name now, quoted; its name in the end


def _constraints(unit: Unit, old: str, new: str) -> list[_Rename]:
    """Give the new table the old one's constraints that it has not got."""
    there = unit.fetch(_CONSTRAINTS.bindparams(name=new))
    renames = []
    for name, definition in unit.fetch(_CONSTRAINTS.bindparams(name=old)):
        now = next((n for n, d in there if d == definition), None)
        if now is None:
            now = _fresh()
            _run(unit, f"ALTER TABLE {new} ADD CONSTRAINT {identifier(now)} {definition}")
        renames.append(("constraint", identifier(now), name))
    return renames


def _indexes(unit: Unit, old: str, new: str) -> list[_Rename]:
    """Give the new table the old one's indexes that it has not got."""
    there = unit.fetch(_INDEXES.bindparams(name=new))
    renames = []
    for name, unique, rest in unit.fetch(_INDEXES.bindparams(name=old)):
        now = next((n for n, u, r in there if (u, r) == (unique, rest)), None)
        if now is None:
            now = _fresh()
            kind = "UNIQUE INDEX" if unique else "INDEX"
            _run(unit, f"CREATE {kind} {identifier(now)} ON {new}{rest}")
        renames.append(("index", identifier(now), name))
    return renames


def _schema(unit: Unit, name: str) -> str:
    return str(unit.fetch(_SCHEMA.bindparams(name=name))[0][0])


def _fresh() -> str:
    return f"sqlscore_{secrets.token_hex(8)}"


def _run(unit: Unit, statement: str) -> None:
    # A DDL element is formatted with %; its text is all from the catalogue, quoted there.
    ddl: Any = sa.DDL  # it carries no types
    unit.execute(ddl(statement.replace("%", "%%")))
