CREATE TABLE products (
    sku         TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    price_minor INTEGER NOT NULL CHECK (price_minor > 0),
    version     INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL
) STRICT;

CREATE INDEX products_of_category ON products (category, sku);

-- The words of a product, for searches. Triggers keep them in step.
CREATE VIRTUAL TABLE product_words USING fts5 (
    name, description, category,
    content = 'products', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);

CREATE TRIGGER products_added AFTER INSERT ON products BEGIN
    INSERT INTO product_words (rowid, name, description, category)
    VALUES (new.rowid, new.name, new.description, new.category);
END;

CREATE TRIGGER products_changed AFTER UPDATE ON products BEGIN
    INSERT INTO product_words (product_words, rowid, name, description, category)
    VALUES ('delete', old.rowid, old.name, old.description, old.category);
    INSERT INTO product_words (rowid, name, description, category)
    VALUES (new.rowid, new.name, new.description, new.category);
END;

-- What was received is on hand, reserved or shipped, and nothing is negative.
CREATE TABLE stock (
    sku      TEXT    NOT NULL PRIMARY KEY REFERENCES products (sku),
    received INTEGER NOT NULL CHECK (received >= 0),
    on_hand  INTEGER NOT NULL CHECK (on_hand >= 0),
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    shipped  INTEGER NOT NULL CHECK (shipped >= 0),
    -- Refilled when it runs low; otherwise what is gone is gone.
    refilled INTEGER NOT NULL CHECK (refilled IN (0, 1))
) STRICT;

CREATE TABLE reservations (
    order_id   TEXT    NOT NULL PRIMARY KEY,
    state      TEXT    NOT NULL,
    expires_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX reservations_held ON reservations (expires_ms) WHERE state = 'held';

CREATE TABLE reservation_lines (
    order_id TEXT    NOT NULL REFERENCES reservations (order_id),
    sku      TEXT    NOT NULL REFERENCES products (sku),
    pieces   INTEGER NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (order_id, sku)
) STRICT;
