-- What an order may be paid with: one row per order, and its end is one conditional update of `status`.
-- A row without a user was voided before it was opened; it keeps a late opening closed.
CREATE TABLE intents (
    order_id     TEXT PRIMARY KEY NOT NULL CHECK (order_id <> ''),
    user_id      TEXT CHECK (user_id <> ''),
    amount_cents INTEGER CHECK (amount_cents > 0),
    status       TEXT NOT NULL CHECK (status IN ('OPEN', 'CAPTURED', 'VOIDED', 'EXPIRED')),
    payment_id   TEXT UNIQUE,
    expire_time  INTEGER NOT NULL,
    create_time  INTEGER NOT NULL,
    update_time  INTEGER NOT NULL,
    CHECK ((status = 'CAPTURED') = (payment_id IS NOT NULL)),
    CHECK ((user_id IS NULL) = (amount_cents IS NULL)),
    CHECK (user_id IS NOT NULL OR status = 'VOIDED')
) STRICT, WITHOUT ROWID;

CREATE INDEX open_intents ON intents (expire_time) WHERE status = 'OPEN';

CREATE TRIGGER an_end_is_an_end BEFORE UPDATE OF status ON intents WHEN OLD.status <> 'OPEN'
BEGIN SELECT RAISE(ABORT, 'an intent that ended does not change'); END;

-- Every try to pay.
CREATE TABLE payments (
    id           TEXT PRIMARY KEY NOT NULL,
    order_id     TEXT NOT NULL REFERENCES intents (order_id),
    user_id      TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('CAPTURED', 'DECLINED', 'REFUNDED')),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    method       TEXT NOT NULL,
    create_time  INTEGER NOT NULL,
    update_time  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_payment_takes_money ON payments (order_id) WHERE status <> 'DECLINED';

-- What was taken (above zero) and given back (below zero). Lines are added, never changed.
CREATE TABLE ledger (
    line         INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id     TEXT NOT NULL REFERENCES intents (order_id),
    payment_id   TEXT NOT NULL REFERENCES payments (id),
    kind         TEXT NOT NULL CHECK (kind IN ('CAPTURE', 'REFUND')),
    amount_cents INTEGER NOT NULL CHECK ((amount_cents > 0) = (kind = 'CAPTURE') AND amount_cents <> 0),
    create_time  INTEGER NOT NULL
) STRICT;

-- A double charge is not a bug that can be written: the database has no room for a second line.
CREATE UNIQUE INDEX one_line_of_a_kind ON ledger (order_id, kind);

CREATE TRIGGER a_refund_gives_back_what_was_taken BEFORE INSERT ON ledger
WHEN NEW.kind = 'REFUND' AND NOT EXISTS (
    SELECT 1 FROM ledger WHERE kind = 'CAPTURE' AND order_id = NEW.order_id
        AND payment_id = NEW.payment_id AND amount_cents = -NEW.amount_cents)
BEGIN SELECT RAISE(ABORT, 'a refund gives back what was taken'); END;

CREATE TRIGGER ledger_lines_stay BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;

CREATE TRIGGER ledger_lines_are_kept BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
