-- The sample shop: the same rows on every run, from generate_series and hashes. :orders is the number of orders.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE TYPE order_state AS ENUM ('placed', 'paid', 'packed', 'shipped', 'delivered', 'returned');
CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@ ]+@[^@ ]+$');

CREATE TABLE customers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    email      email NOT NULL UNIQUE,
    country    char(2) NOT NULL,
    joined_at  timestamptz NOT NULL
);

CREATE TABLE products (
    sku        text PRIMARY KEY,
    title      text NOT NULL,
    net_price  numeric(10, 2) NOT NULL CHECK (net_price > 0),
    gross_price numeric(10, 2) GENERATED ALWAYS AS (round(net_price * 1.19, 2)) STORED,
    tags       text[] NOT NULL
);

CREATE TABLE product_pictures (
    sku        text PRIMARY KEY REFERENCES products,
    jpeg       bytea NOT NULL
);

CREATE TABLE orders (
    id          bigint NOT NULL,
    customer_id bigint NOT NULL REFERENCES customers,
    state       order_state NOT NULL,
    placed_at   timestamptz NOT NULL,
    note        text,
    PRIMARY KEY (id, placed_at)
) PARTITION BY RANGE (placed_at);
CREATE TABLE orders_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2026-01-01 00:00+00');
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2027-01-01 00:00+00');

CREATE TABLE order_items (
    order_id   bigint NOT NULL,
    line       smallint NOT NULL,
    sku        text NOT NULL REFERENCES products,
    quantity   integer NOT NULL CHECK (quantity > 0),
    net_price  numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

CREATE TABLE events (
    id         bigint PRIMARY KEY,
    at         timestamptz NOT NULL,
    body       jsonb NOT NULL
);

CREATE TABLE "Größen & Maße" (
    "Größe"    text PRIMARY KEY,
    "Länge cm" double precision
);

CREATE TABLE returns_not_yet_used (id bigint PRIMARY KEY, reason text);

INSERT INTO customers (name, email, country, joined_at)
SELECT (ARRAY['Ada', 'Björn', 'Chiara', 'Dmitri', 'Eun-ji', 'Fatma', 'Grace', 'Håkon'])[1 + n % 8]
       || ' ' || (ARRAY['Okafor', 'Müller', 'Rossi', 'Tanaka', 'O''Brien', 'García', 'Yılmaz'])[1 + n % 7],
       'customer' || n || '@example.com',
       (ARRAY['DE', 'FR', 'IT', 'JP', 'US', 'TR', 'NO'])[1 + n % 7],
       timestamptz '2023-01-01 00:00+00' + n * interval '37 minutes'
FROM generate_series(1, greatest(:orders / 8, 1)) AS n;

INSERT INTO products (sku, title, net_price, tags)
SELECT 'SKU-' || lpad(n::text, 5, '0'),
       (ARRAY['Lamp', 'Chair', 'Teapot', 'Notebook', 'Bicycle bell'])[1 + n % 5] || ' no. ' || n,
       (abs(hashint4(n)) % 20000 + 100) / 100.0,
       ARRAY['tag' || n % 13, CASE WHEN n % 3 = 0 THEN 'sale, "today"' ELSE 'new' END]
FROM generate_series(1, 500) AS n;

INSERT INTO product_pictures (sku, jpeg)
SELECT sku, (SELECT decode(string_agg(md5(sku || piece), ''), 'hex') FROM generate_series(1, 256) AS piece)
FROM products;

INSERT INTO orders (id, customer_id, state, placed_at, note)
SELECT n,
       1 + abs(hashint4(n)) % greatest(:orders / 8, 1),
       (enum_range(NULL::order_state))[1 + abs(hashint4(n + 7)) % 6],
       timestamptz '2024-01-01 00:00+00' + (n::double precision / :orders) * interval '1000 days',
       CASE WHEN n % 11 = 0 THEN E'leave at the door\tor ring\nthe bell \\ twice' END
FROM generate_series(1, :orders) AS n;

INSERT INTO order_items (order_id, line, sku, quantity, net_price)
SELECT n, line, 'SKU-' || lpad((1 + abs(hashint4(n * 5 + line)) % 500)::text, 5, '0'),
       1 + abs(hashint4(n + line)) % 4, (abs(hashint4(n * 3 + line)) % 20000 + 100) / 100.0
FROM generate_series(1, :orders) AS n, generate_series(1, 1 + n % 4) AS line;

INSERT INTO events (id, at, body)
SELECT n, timestamptz '2024-01-01 00:00+00' + n * interval '11 minutes',
       jsonb_build_object('kind', (ARRAY['view', 'search', 'basket', 'pay'])[1 + n % 4],
                          'session', md5(n::text), 'ms', abs(hashint4(n)) % 900,
                          'query', CASE WHEN n % 4 = 1 THEN 'teapot "blue" ' || n END)
FROM generate_series(1, :orders) AS n;

INSERT INTO "Größen & Maße" VALUES ('S', 66.5), ('M', 70), ('L', 74.25), ('unbekannt', NULL), ('∞', 'Infinity');

CREATE INDEX order_items_by_sku ON order_items (sku);
CREATE INDEX events_by_body ON events USING gin (body);
CREATE VIEW revenue_by_country AS
SELECT c.country, sum(i.quantity * i.net_price) AS net
FROM orders o JOIN customers c ON c.id = o.customer_id JOIN order_items i ON i.order_id = o.id
GROUP BY c.country;
