-- sqlscore.predict in PostgreSQL without PL/Python: answered by the functions that a model becomes by
-- `sqlscore model install churn --as function`, which the server itself evaluates. It stands on
-- rights.sql and queue.sql, and is run after them.
--
-- The caller's query runs with the caller's own rights. Only functions that the caller made, or an
-- account that may act as sqlscore_owner (as who installs this), are taken for a model's: a remark in
-- somebody else's function makes it none.

-- The functions of a model, one for each prediction, with their parameters.
CREATE OR REPLACE FUNCTION sqlscore.pushed_functions(
    chosen sqlscore.usable_models, OUT prediction text, OUT called text, OUT type regtype,
    OUT features text[], OUT wanted oid[]
) RETURNS SETOF record LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT ON (found.gives) found.gives, format('%I.%I', n.nspname, p.proname),
           p.prorettype::regtype, p.proargnames, ARRAY(SELECT unnest(p.proargtypes))
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace,
         LATERAL substring(p.prosrc FROM '/\* gives (.*?) \*/') AS found(gives)
    WHERE p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')
      AND strpos(p.prosrc, format('/* %s:%s, sha256 %s, compiled by sqlscore ', chosen.name,
                                  chosen.version, chosen.sha256)) > 0
      AND found.gives IS NOT NULL
      AND (p.proowner = to_regrole(quote_ident(current_user))
           OR pg_has_role(p.proowner, 'sqlscore_owner', 'MEMBER'))
      AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
    ORDER BY found.gives, p.oid DESC
$$;

-- Views and SQL functions that call predict, at whatever depth: a statement that names one has calls
-- that do not stand in its text.
CREATE OR REPLACE FUNCTION sqlscore.calls_within() RETURNS SETOF name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE found(class, object) AS (
        SELECT 'pg_proc'::regclass, p.oid FROM pg_proc AS p
        WHERE p.pronamespace = 'sqlscore'::regnamespace AND p.proname = 'predict'
           OR p.pronamespace NOT IN ('sqlscore'::regnamespace, 'pg_catalog'::regnamespace)
              AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')
              AND p.prosrc ~* '\mpredict\M'
        UNION
        SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
               coalesce(r.ev_class, d.objid)
        FROM found JOIN pg_depend AS d ON d.refclassid = found.class AND d.refobjid = found.object
             LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)
    )
    SELECT relname FROM pg_class JOIN found ON class = 'pg_class'::regclass AND object = oid
    UNION ALL
    SELECT proname FROM pg_proc JOIN found ON class = 'pg_proc'::regclass AND object = oid
    WHERE pronamespace <> 'sqlscore'::regnamespace
$$;

-- What AS p(…) says, [name, type] of each column: the server does not tell a function, so it is read
-- from the statement that calls; NULL where it does not stand there, where several calls have
-- different ones, or where a view or function that the statement names calls, too. `told` is the
-- context of the call: behind its first line stands the statement of a function that calls; where
-- there is none, the session's own statement counts.
CREATE OR REPLACE FUNCTION sqlscore.asked_columns(told text, model text, query text) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text := coalesce(substring(told FROM '\n(.*)$'), current_query());
    literal text := '''(?:[^'']|'''')*''|\$(?:[a-z_]\w*)?\$(?:[^$]|\$\d)*\$(?:[a-z_]\w*)?\$';
    flat text := format('[^()''$]|\$\d+|%s', literal);
    call_ text := format(
        '\mpredict"?\s*\(((?:%1$s|\((?:%1$s)*\))*)\)'                 -- the arguments
        '\s*(?:as\s+)?(?:"[^"]+"\s*|[a-z_][\w$]*\s*)?'                -- AS p
        '\(((?:[^()'']|\([^()]*\))*)\)', flat);                       -- the columns
    lists text[];
BEGIN
    SELECT array_agg(DISTINCT listed) INTO lists
    FROM (SELECT m[2] AS listed,
                 rank() OVER (ORDER BY (strpos(m[1], quote_literal(model)) > 0)::int
                              + (strpos(replace(m[1], '''''', ''''), query) > 0)::int DESC) AS place
          FROM regexp_matches(said, call_, 'gi') AS m) AS calls
    WHERE place = 1;
    IF cardinality(lists) <> 1
       OR EXISTS (SELECT FROM sqlscore.calls_within() AS named
                  WHERE strpos(lower(said), lower(named)) > 0) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT json_agg(json_build_array((parse_ident(m[1]))[1], btrim(m[2], E' \n\t\r'))
                        ORDER BY i)
        FROM regexp_split_to_table(lists[1], ',(?![^(]*\))') WITH ORDINALITY AS s(item, i)
        LEFT JOIN LATERAL regexp_match(item, '^\s*("(?:[^"]|"")+"|[^\s"]+)\s+(.+)$') AS m ON true
        HAVING bool_and(m IS NOT NULL));
END
$$;

-- Which of the names is meant: the very one, else the only one that differs in capital letters alone.
CREATE OR REPLACE FUNCTION sqlscore.pushed_name(name text, names text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN $1 = ANY ($2) THEN $1 WHEN count(*) = 1 THEN min(n) END
    FROM unnest($2) AS n WHERE lower(n) = lower($1)
$$;

-- A column of the query as a feature's value: numbers become numbers, nothing is made from text.
CREATE OR REPLACE FUNCTION sqlscore.pushed_argument(
    feature text, wanted oid, names text[], types oid[]
) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text := sqlscore.pushed_name(feature, names);
    given oid := types[array_position(names, found)];
    base oid := given;
    category "char";
BEGIN
    IF found IS NULL THEN
        RAISE EXCEPTION 'the model''s feature % has no column. The query has: %',
            quote_literal(feature),
            (SELECT string_agg(quote_literal(n), ', ') FROM unnest(names) AS n);
    END IF;
    WHILE (SELECT typtype = 'd' FROM pg_type WHERE oid = base) LOOP  -- the type beneath a domain
        base := (SELECT typbasetype FROM pg_type WHERE oid = base);
    END LOOP;
    category := (SELECT typcategory FROM pg_type WHERE oid = base);
    IF wanted = 'float8'::regtype AND base = 'bool'::regtype THEN
        RETURN format('q.%I::pg_catalog.int4::pg_catalog.float8', found);
    ELSIF wanted = 'float8'::regtype AND category = 'N'
          AND base <> ALL (ARRAY['money', 'oid']::regtype[])
       OR wanted = 'int8'::regtype AND base = ANY (ARRAY['int2', 'int4', 'int8']::regtype[])
       OR wanted = 'text'::regtype AND category = 'S'
       OR wanted = base THEN
        RETURN format('q.%I::pg_catalog.%I', found,
                      (SELECT typname FROM pg_type WHERE oid = wanted));
    END IF;
    RAISE EXCEPTION 'the feature % wants %, and column % is %', quote_literal(feature),
        wanted::regtype, quote_literal(found), given::regtype
        USING HINT = 'Convert it in the query, under the feature''s name';
END
$$;

-- The statement that answers: the caller's query, with the model's functions over its rows.
CREATE OR REPLACE FUNCTION sqlscore.pushed_statement(
    model text, source text, names text[], types oid[], asked json
) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen sqlscore.usable_models := sqlscore.queue_version(pushed_statement.model);
    function_ record;
    given text[];
    calls json := '{}';
    fed text[];
    known text[];
    name text;
    type text;
    inner_ text[];
    outer_ text[];
    value text;
BEGIN
    FOR function_ IN SELECT * FROM sqlscore.pushed_functions(chosen) LOOP
        given := coalesce(given, ARRAY(
            SELECT sqlscore.pushed_argument(f, w, names, types)
            FROM unnest(function_.features, function_.wanted) WITH ORDINALITY AS u(f, w, i)
            ORDER BY i));
        fed := function_.features;
        calls := calls::jsonb || jsonb_build_object(function_.prediction, json_build_array(
            format('%s(%s)', function_.called, array_to_string(given, ', ')), function_.type));
    END LOOP;
    IF given IS NULL THEN
        RAISE EXCEPTION 'no model runs inside the server by a queue, and % is no '
            'function that you may call here', quote_literal(chosen.name || ':' || chosen.version)
            USING HINT = format('Many models become functions of the database, and then this '
                'answers: sqlscore model install %s:%s --as function. A worker scores every model: '
                'SELECT sqlscore.submit(…), sqlscore.wait(…), sqlscore.result(…), or '
                'CALL sqlscore.score(…)', chosen.name, chosen.version);
    ELSIF asked IS NULL THEN
        RAISE EXCEPTION 'sqlscore.predict reads the columns of AS p(…) from the statement that '
            'calls it, and does not find them there'
            USING HINT = format('A view, a cursor, EXECUTE, or two calls that differ: call the '
                'model''s function itself: SELECT *, %s FROM …', (
                    SELECT string_agg(format('%s(%s)', f.called, array_to_string(
                        ARRAY(SELECT quote_ident(u) FROM unnest(f.features) AS u), ', ')), ', ')
                    FROM sqlscore.pushed_functions(chosen) AS f));
    END IF;
    fed := ARRAY(SELECT n FROM unnest(names) AS n
                 WHERE n = ANY (fed) OR lower(n) IN (SELECT lower(f) FROM unnest(fed) AS f
                                                     WHERE f <> ALL (names)));
    known := ARRAY(SELECT n FROM unnest(names) AS n WHERE n <> ALL (fed)
                   UNION SELECT json_object_keys(calls));
    FOR name, type IN SELECT one ->> 0, one ->> 1 FROM json_array_elements(asked) AS one LOOP
        -- names without quotes come in small letters
        IF name <> ALL (fed) THEN
            name := coalesce(sqlscore.pushed_name(name, known), name);
        END IF;
        value := format('s.a%s', coalesce(cardinality(inner_), 0));
        IF calls -> name IS NOT NULL THEN
            inner_ := inner_ || (calls -> name ->> 0);
            IF calls -> name ->> 1 = 'double precision' AND to_regtype(type) = 'real'::regtype THEN
                -- what is no 4-byte number is an error of the server, and here 0 or infinite
                value := format(
                    'CASE WHEN pg_catalog.abs(%1$s) OPERATOR(pg_catalog.<=) 7.00649232162408e-46 '
                    'THEN 0 WHEN pg_catalog.abs(%1$s) OPERATOR(pg_catalog.>=) 3.4028235677973366e38 '
                    'THEN pg_catalog.sign(%1$s) OPERATOR(pg_catalog.*) '
                    '''Infinity''::pg_catalog.float8 ELSE %1$s END', value);
            END IF;
        ELSIF name = ANY (fed) THEN
            RAISE EXCEPTION '% feeds the model, and its own value is not kept', quote_literal(name)
                USING HINT = format('SELECT it a second time under another name: %1$I AS %2$I',
                                    name, name || '_given');
        ELSIF name = ANY (names) THEN
            inner_ := inner_ || format('q.%I', name);
        ELSE
            RAISE EXCEPTION 'AS p(…) names %, which is neither a prediction nor another column of '
                'the query. There are: %', quote_literal(name), array_to_string(known, ', ');
        END IF;
        -- the line's end: a type may end with a comment
        outer_ := outer_ || format(E'CAST(%s AS %s\n)', value, type);
    END LOOP;
    RETURN format(
        E'SELECT %s FROM (SELECT %s FROM (%s\n) AS q OFFSET 0) AS s', array_to_string(outer_, ', '),
        (SELECT string_agg(format('%s AS a%s', one, i - 1), ', ' ORDER BY i)
         FROM unnest(inner_) WITH ORDINALITY AS u(one, i)),
        rtrim(source, E' ;\n\t\r'));
END
$$;

-- The statement for a call, of which `told` is the context.
CREATE OR REPLACE FUNCTION sqlscore.pushed(told text, model text, query text, params jsonb)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- The caller's search_path holds here, for the caller's query; so all else is named in full.
    asked pg_catalog.json := sqlscore.asked_columns(told, model, query);
    type pg_catalog.text;
    source pg_catalog.text;
    names pg_catalog.text[];
    types pg_catalog.oid[];
BEGIN
    FOR type IN SELECT one OPERATOR(pg_catalog.->>) 1
                FROM pg_catalog.json_array_elements(asked) AS one LOOP
        IF pg_catalog.to_regtype(type) IS NULL THEN  -- nothing but a type stands in the statement
            RAISE EXCEPTION 'AS p(…) has a type that is none: %', type;
        END IF;
    END LOOP;
    SELECT * INTO source, names, types FROM sqlscore.queue_columns(query, params);
    RETURN sqlscore.pushed_statement(model, source, names, types, asked);
END
$$;

-- FROM sqlscore.predict('churn', 'SELECT id, age, spend FROM customers') AS p(id bigint, score real):
-- columns of the query that feed no feature, and predictions, by their names.
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, query text) RETURNS SETOF record
LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    told pg_catalog.text;
BEGIN
    GET DIAGNOSTICS told = PG_CONTEXT;
    RETURN QUERY EXECUTE sqlscore.pushed(told, model, query, NULL) USING NULL::pg_catalog.jsonb;
END
$$;

-- The same with values for the query, which are written $1 ->> 'day' in it; each is NULL where they
-- are.
CREATE OR REPLACE FUNCTION sqlscore.predict(model text, query text, params jsonb)
RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$
DECLARE
    told pg_catalog.text;
BEGIN
    IF model IS NULL OR query IS NULL THEN  -- as STRICT functions have it
        RETURN;
    END IF;
    GET DIAGNOSTICS told = PG_CONTEXT;
    RETURN QUERY EXECUTE sqlscore.pushed(told, model, query, params) USING params;
END
$$;

CALL sqlscore.hand_over(ARRAY[
    'pushed_functions', 'calls_within', 'asked_columns', 'pushed_name', 'pushed_argument',
    'pushed_statement', 'pushed', 'predict']);
