CREATE TABLE products (
    sku         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    category    TEXT COLLATE "C" NOT NULL,
    price_minor BIGINT NOT NULL CHECK (price_minor > 0),
    version     BIGINT NOT NULL,
    updated_ms  BIGINT NOT NULL
);

CREATE INDEX products_of_category ON products (category, sku);

-- The words of a product, for searches: without accents, and those of its name
-- count more than others.
CREATE FUNCTION without_accents(words TEXT) RETURNS TEXT
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(normalize(words, NFKD), '[\u0300-\u036f]', '', 'g');

CREATE FUNCTION product_words(name TEXT, description TEXT, category TEXT) RETURNS tsvector
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN setweight(to_tsvector('simple', without_accents(name)), 'A')
        || setweight(to_tsvector('simple', without_accents(category)), 'B')
        || setweight(to_tsvector('simple', without_accents(description)), 'D');

CREATE INDEX product_words ON products USING gin (product_words(name, description, category));

-- What was received is on hand, reserved or shipped, and nothing is negative.
CREATE TABLE stock (
    sku      TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES products (sku),
    received BIGINT NOT NULL CHECK (received >= 0),
    on_hand  BIGINT NOT NULL CHECK (on_hand >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    shipped  BIGINT NOT NULL CHECK (shipped >= 0),
    -- Refilled when it runs low; otherwise what is gone is gone.
    refilled BIGINT NOT NULL CHECK (refilled IN (0, 1))
);

CREATE TABLE reservations (
    order_id   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state      TEXT COLLATE "C" NOT NULL,
    expires_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);

CREATE INDEX reservations_held ON reservations (expires_ms) WHERE state = 'held';

CREATE TABLE reservation_lines (
    order_id TEXT COLLATE "C" NOT NULL REFERENCES reservations (order_id),
    sku      TEXT COLLATE "C" NOT NULL REFERENCES products (sku),
    pieces   BIGINT NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (order_id, sku)
);
