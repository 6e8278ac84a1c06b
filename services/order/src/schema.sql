-- `status` is what the world sees; `step` is what is to be done next, committed before it is done.
CREATE TABLE orders (
    id            TEXT PRIMARY KEY NOT NULL,
    user_id       TEXT NOT NULL CHECK (user_id <> ''),
    status        TEXT NOT NULL CHECK (status IN ('PENDING', 'AWAITING_PAYMENT', 'CONFIRMED', 'CANCELLED')),
    step          TEXT NOT NULL CHECK (step IN ('RESERVE', 'OPEN', 'WAIT', 'VOID', 'RELEASE', 'SELL', 'DONE')),
    total_cents   INTEGER CHECK (total_cents > 0),
    payment_id    TEXT UNIQUE,
    -- Why it is being cancelled (step VOID) or was (status CANCELLED).
    cancel_reason TEXT CHECK (cancel_reason <> ''),
    -- Of which products there were too few, as the product service names them.
    short         TEXT CHECK (short <> ''),
    create_time   INTEGER NOT NULL,
    update_time   INTEGER NOT NULL,
    -- How often the present step was tried by the sweeper, and when it tries again; while the order waits for
    -- payment, when it looks what became of it.
    tries         INTEGER NOT NULL DEFAULT 0,
    next_try_time INTEGER NOT NULL,
    CHECK (CASE status
        WHEN 'PENDING' THEN step IN ('RESERVE', 'OPEN', 'VOID')
        WHEN 'AWAITING_PAYMENT' THEN step IN ('WAIT', 'VOID')
        WHEN 'CONFIRMED' THEN step IN ('SELL', 'DONE')
        ELSE step IN ('RELEASE', 'DONE') END),
    CHECK ((status = 'CONFIRMED') = (payment_id IS NOT NULL)),
    CHECK (total_cents IS NOT NULL OR step = 'RESERVE' OR status = 'CANCELLED'),
    CHECK (CASE status WHEN 'CANCELLED' THEN cancel_reason IS NOT NULL ELSE cancel_reason IS NULL OR step = 'VOID' END)
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_of_a_user ON orders (user_id, id);
CREATE INDEX unfinished_orders ON orders (step, next_try_time) WHERE step <> 'DONE';

CREATE TRIGGER an_end_is_an_end BEFORE UPDATE OF status ON orders
WHEN OLD.status IN ('CONFIRMED', 'CANCELLED') AND NEW.status <> OLD.status
BEGIN SELECT RAISE(ABORT, 'an order that ended does not change'); END;

-- Name and price are of the moment of the reservation; absent before it.
CREATE TABLE order_items (
    order_id    TEXT NOT NULL REFERENCES orders (id),
    line        INTEGER NOT NULL CHECK (line BETWEEN 0 AND 49),
    product_id  TEXT NOT NULL CHECK (product_id <> ''),
    quantity    INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    name        TEXT,
    price_cents INTEGER CHECK (price_cents >= 0),
    PRIMARY KEY (order_id, line),
    UNIQUE (order_id, product_id),
    CHECK ((name IS NULL) = (price_cents IS NULL))
) STRICT, WITHOUT ROWID;

-- How far the events of another service were applied.
CREATE TABLE followed (
    source   TEXT PRIMARY KEY NOT NULL,
    sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
