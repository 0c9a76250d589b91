//! A database with everything that dumps and restores stumble over.

/// What to put in beyond the kinds of objects themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Torture {
    /// Extensions `pg_trgm`, `hstore`, `citext` with tables that use them. Not in every build: see
    /// [`has_contrib`].
    pub contrib: bool,
    /// Further small tables, `many.t0001` and so on; 1,000 make a long table of contents.
    pub many_tables: u32,
    /// Rows of `bulk.mixed`, about 1 kB of text each; 200,000 make 200 MB.
    pub bulk_rows: u32,
}

/// Whether the server builds of this major that `scripts/install-postgres` installs have Debian's contrib modules.
pub fn has_contrib(bin_dir: &std::path::Path) -> bool {
    let share = bin_dir.canonicalize().ok().and_then(|bin| {
        // Debian: <root>/usr/lib/postgresql/17/bin and <root>/usr/share/postgresql/17; elsewhere: bin, share/….
        let major = bin.parent()?.file_name()?.to_owned();
        let debian = bin.ancestors().nth(4)?.join("share/postgresql").join(major);
        let beside = bin.parent()?.join("share");
        [debian, beside.join("postgresql"), beside].into_iter().find(|dir| dir.join("extension").is_dir())
    });
    share.is_some_and(|share| {
        ["pg_trgm", "hstore", "citext"]
            .iter()
            .all(|name| share.join("extension").join(format!("{name}.control")).exists())
    })
}

impl Torture {
    /// The SQL that fills an empty database, for PostgreSQL 14 and later, to be run as superuser. The result is the
    /// same on every run.
    pub fn sql(&self) -> String {
        let mut sql = String::from(SCHEMA);
        if self.contrib {
            sql.push_str(CONTRIB);
        }
        if self.many_tables > 0 {
            sql.push_str(&MANY.replace(":tables", &self.many_tables.to_string()));
        }
        if self.bulk_rows > 0 {
            sql.push_str(&BULK.replace(":rows", &self.bulk_rows.to_string()));
        }
        sql
    }
}

const SCHEMA: &str = r#"
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE SCHEMA "Ünïcode schéma";
COMMENT ON SCHEMA shop IS 'quotes '' and "names" \ backslash';

-- Types: enum, domain with check, composite, range.
CREATE TYPE shop.mood AS ENUM ('glad', 'so so', 'it''s bad', 'grün');
CREATE DOMAIN shop.percentage AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100) DEFAULT 0;
CREATE TYPE shop.address AS (street text, house int, tags text[]);
CREATE TYPE shop.price_range AS RANGE (subtype = numeric);

-- Every value that text output has ideas about.
CREATE TABLE shop.edge_values (
    id int PRIMARY KEY, t text, b bytea, f4 real, f8 double precision, n numeric, ts timestamptz, tz timetz,
    d date, i interval, j json, jb jsonb, a int[], ta text[][], u uuid, ip inet, bits bit varying, m shop.mood,
    p shop.percentage, ad shop.address, r shop.price_range, x xml, mon money, pt point, v tsvector, c "char"
);
INSERT INTO shop.edge_values (id, t, b, f4, f8, n, ts, d, i, j, jb, a, ta, m, p, ad, r, v) VALUES
    (1, E'tab\t newline\n cr\r backslash\\ \\N', '\x00ff5c0a', 0.1, 0.1, 'NaN', '2026-03-29 01:30:00+00', 'infinity',
     '1 year -2 days +03:04:05.678', '{"a":  1, "a": 2}', '{"b": [1, null, "é"]}', '{1,NULL,3}', '{{a,"b c"},{"\"",NULL}}',
     'it''s bad', 99.99, ROW('Main "St"', 1, '{x,y}'), '[1.5,2.5)', 'fat:1 cat:2'),
    (2, '', '', 'Infinity', '-Infinity', '123456789012345678901234567890.123456789', '-infinity', '0044-03-15 BC',
     '-00:00:00.000001', 'null', '0', '{}', '{}', 'grün', 0, ROW(NULL, NULL, NULL), 'empty', ''),
    (3, E'emoji 😀 combining é zero-width \u200b', decode(repeat('deadbeef', 500), 'hex'), '1e-40', '1e-310', 0.00,
     '9999-12-31 23:59:59.999999+00', '-infinity', 'P1Y2M3DT4H5M6S', '"\u0001"', '"\u0001"', '[0:1]={7,8}', NULL,
     'glad', 50, NULL, '(,)', NULL),
    (4, NULL, NULL, 'NaN', 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, DEFAULT, NULL, NULL, NULL),
    (5, E'\\.', '\x', -0.0, 2.2250738585072014e-308, -0, '1883-11-18 12:00:00+00', '2000-02-29', '178000000 years',
     '[]', '{}', NULL, NULL, 'so so', 100, NULL, '[3,3]', 'x');

-- Generated and identity columns, sequences of all sorts, columns dropped in the middle.
CREATE TABLE shop.orders (
    id bigint GENERATED ALWAYS AS IDENTITY (START 1000 INCREMENT 7),
    note_to_drop text,
    net numeric(12, 2) NOT NULL,
    vat shop.percentage DEFAULT 19,
    gross numeric GENERATED ALWAYS AS (net * (100 + vat) / 100) STORED,
    placed timestamptz NOT NULL DEFAULT '2026-01-01 00:00:00+00',
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT "net is positive" CHECK (net > 0) NOT VALID
);
ALTER TABLE shop.orders DROP COLUMN note_to_drop;
ALTER TABLE shop.orders ADD COLUMN mood shop.mood;
INSERT INTO shop.orders (net, mood)
    SELECT n * 1.01, (ARRAY['glad', 'so so', NULL])[1 + n % 3]::shop.mood FROM generate_series(1, 500) AS n;
CREATE TABLE shop.order_lines (
    id serial PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES shop.orders ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    parent_id int REFERENCES shop.order_lines,
    quantity smallint, EXCLUDE USING btree (id WITH =)
);
CREATE INDEX ON shop.order_lines (quantity) WHERE quantity > 50;
INSERT INTO shop.order_lines (order_id, parent_id, quantity)
    SELECT 1000 + 7 * (n % 500), NULLIF(n - 1, 0), n % 100 FROM generate_series(1, 2000) AS n;
CREATE INDEX "expression index" ON shop.orders ((net * 2)) INCLUDE (mood);
CREATE SEQUENCE shop.cycling AS smallint MINVALUE -5 MAXVALUE 5 CYCLE START 3;
SELECT nextval('shop.cycling') FROM generate_series(1, 8);
CREATE STATISTICS shop.correlated (dependencies) ON net, vat FROM shop.orders;

-- Partitions (two levels, a default one), inheritance, a table without columns, one without rows, an unlogged one.
CREATE TABLE shop.events (at date NOT NULL, region text NOT NULL, payload jsonb) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2025 PARTITION OF shop.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
    PARTITION BY LIST (region);
CREATE TABLE shop."events_2025_ÄÖ" PARTITION OF shop.events_2025 FOR VALUES IN ('ä', 'ö');
CREATE TABLE shop.events_2025_rest PARTITION OF shop.events_2025 DEFAULT;
CREATE TABLE shop.events_default PARTITION OF shop.events DEFAULT;
CREATE INDEX ON shop.events (region);
INSERT INTO shop.events SELECT '2024-12-01'::date + n, (ARRAY['ä', 'ö', 'x'])[1 + n % 3], jsonb_build_object('n', n)
    FROM generate_series(0, 599) AS n;
CREATE TABLE shop.animal (id int PRIMARY KEY, name text);
CREATE TABLE shop.bird (wingspan_cm int) INHERITS (shop.animal);
INSERT INTO shop.animal VALUES (1, 'cat');
INSERT INTO shop.bird VALUES (2, 'kestrel', 75), (3, NULL, NULL);
CREATE TABLE shop.no_columns ();
INSERT INTO shop.no_columns DEFAULT VALUES;
INSERT INTO shop.no_columns DEFAULT VALUES;
CREATE TABLE shop.no_rows (id int PRIMARY KEY, body text);
CREATE UNLOGGED TABLE shop.session (token uuid, seen int);
INSERT INTO shop.session VALUES ('00000000-0000-0000-0000-000000000001', 1), (NULL, 2);
CREATE TABLE shop.duplicates (same int);
INSERT INTO shop.duplicates SELECT 7 FROM generate_series(1, 64);

-- Names that need quoting.
CREATE TABLE "Ünïcode schéma"."select ""from"" 'where' %s ; --" ("a b" int, "DROP" text, "ключ" text, "タブ	tab" int);
INSERT INTO "Ünïcode schéma"."select ""from"" 'where' %s ; --" VALUES (1, 'x', 'привет', 2);
CREATE VIEW "Ünïcode schéma"."view of ""it""" AS SELECT "ключ" FROM "Ünïcode schéma"."select ""from"" 'where' %s ; --";

-- Row security, functions, triggers, rules, views and materialised views that stand on each other.
ALTER TABLE shop.no_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.session ENABLE ROW LEVEL SECURITY;
CREATE POLICY "own rows" ON shop.session USING (seen > 1) WITH CHECK (true);
CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    NEW.payload := coalesce(NEW.payload, '{}') || '{"stamped": true}'; -- must not run while rows are restored
    RETURN NEW;
END $body$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON shop.events FOR EACH ROW EXECUTE FUNCTION shop.stamp();
CREATE FUNCTION shop.total(VARIADIC amounts numeric[] DEFAULT '{}') RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT sum(a) FROM unnest($1) AS a';
CREATE AGGREGATE shop.longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE VIEW shop.sales AS SELECT mood, count(*) AS orders, sum(gross) AS gross FROM shop.orders GROUP BY mood;
CREATE MATERIALIZED VIEW shop.sales_kept AS SELECT * FROM shop.sales;
CREATE UNIQUE INDEX ON shop.sales_kept (mood);
CREATE MATERIALIZED VIEW shop.sales_of_sales AS SELECT count(*) AS moods FROM shop.sales_kept;
CREATE MATERIALIZED VIEW shop.never_filled AS SELECT 1 AS one WITH NO DATA;
CREATE RULE no_delete AS ON DELETE TO shop.duplicates DO INSTEAD NOTHING;
CREATE FUNCTION shop.noticed() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER torture_noticed ON ddl_command_end EXECUTE FUNCTION shop.noticed();
CREATE COLLATION shop.posix FROM "C";
CREATE CAST (shop.address AS json) WITH INOUT AS ASSIGNMENT;
CREATE TEXT SEARCH CONFIGURATION shop.plain (COPY = pg_catalog.simple);
CREATE FOREIGN DATA WRAPPER torture_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER torture_fdw;
CREATE FOREIGN TABLE shop.far_away (id int) SERVER elsewhere;
CREATE PUBLICATION changes FOR TABLE shop.orders;

-- Large objects: empty, one byte, with a hole, over a megabyte.
SELECT lo_create(910001);
SELECT lo_from_bytea(910002, '\x00');
SELECT lo_from_bytea(910003, decode(repeat('00ff41', 700000), 'hex'));
SELECT lo_create(910004);
SELECT lo_put(910004, 1048570, '\xabcdef');
COMMENT ON LARGE OBJECT 910003 IS 'two megabytes';
"#;

const CONTRIB: &str = r#"
CREATE SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE TABLE shop.extended (name ext.citext PRIMARY KEY, attributes ext.hstore);
INSERT INTO shop.extended VALUES ('ÄpfeL', 'a=>1, "b c"=>NULL'), ('pear', '');
CREATE INDEX ON shop.extended USING gin (name ext.gin_trgm_ops);
"#;

const MANY: &str = r#"
CREATE SCHEMA many;
DO $body$
BEGIN
    FOR n IN 1..:tables LOOP
        EXECUTE format('CREATE TABLE many.%I (id int PRIMARY KEY, body text)', 't' || lpad(n::text, 4, '0'));
        EXECUTE format('INSERT INTO many.%I SELECT i, ''row '' || i FROM generate_series(1, %s) AS i',
                       't' || lpad(n::text, 4, '0'), n % 4);
    END LOOP;
END $body$;
"#;

const BULK: &str = r#"
CREATE SCHEMA bulk;
CREATE TABLE bulk.mixed (id bigint PRIMARY KEY, at timestamptz, amount numeric(14, 4), doc jsonb, raw bytea, body text);
INSERT INTO bulk.mixed
    SELECT n, '2026-01-01 00:00:00+00'::timestamptz + n * interval '1.000001 s', n * 1.2345,
           jsonb_build_object('id', n, 'tags', jsonb_build_array(md5(n::text), n % 17)),
           decode(md5('a' || n) || md5('b' || n) || md5('c' || n), 'hex'),
           (SELECT string_agg(md5(n || '/' || k), ' ') FROM generate_series(1, 20) AS k)
    FROM generate_series(1, :rows) AS n;
"#;
