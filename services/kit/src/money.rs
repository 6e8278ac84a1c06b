//! Money as whole cents of US dollars, in integers only. On the wire it is `google.type.Money`.

use proto::google::r#type::Money;

use crate::Violations;

const CURRENCY: &str = "USD";
const CENTS: i64 = 100;
const NANOS_PER_CENT: i32 = 10_000_000;
const NANOS_PER_UNIT: i32 = 1_000_000_000;

/// An amount of money. Negative amounts exist in arithmetic, never in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub i64);

impl Cents {
    /// Reads the money of `field`: present, in USD, well-formed, whole cents and not negative; anything else is a violation.
    pub fn read(money: Option<&Money>, field: &str, violations: &mut Violations) -> Option<Self> {
        let Some(money) = money else {
            violations.add(field, "is required");
            return None;
        };
        let problem = match Self::try_from(money) {
            Ok(cents) if cents.0 >= 0 => return Some(cents),
            Ok(_) => "must not be negative",
            Err(problem) => problem,
        };
        violations.add(field, problem);
        None
    }

    /// The sum, unless it is too large to count.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The price of `quantity` pieces, unless it is too large to count.
    pub fn times(self, quantity: i32) -> Option<Self> {
        self.0.checked_mul(i64::from(quantity)).map(Self)
    }
}

impl TryFrom<&Money> for Cents {
    type Error = &'static str;

    /// The rules of `google.type.Money`: `nanos` within one unit, and of the same sign as `units`.
    fn try_from(money: &Money) -> Result<Self, Self::Error> {
        if money.currency_code != CURRENCY {
            return Err("must be in USD");
        }
        if money.nanos <= -NANOS_PER_UNIT || money.nanos >= NANOS_PER_UNIT {
            return Err("must have nanos between -999999999 and 999999999");
        }
        if money.units.signum() * i64::from(money.nanos.signum()) < 0 {
            return Err("must have units and nanos of the same sign");
        }
        if money.nanos % NANOS_PER_CENT != 0 {
            return Err("must be whole cents");
        }
        let cents = money.units.checked_mul(CENTS);
        let cents =
            cents.and_then(|cents| cents.checked_add(i64::from(money.nanos / NANOS_PER_CENT)));
        cents.map(Self).ok_or("is too large")
    }
}

impl From<Cents> for Money {
    fn from(Cents(cents): Cents) -> Self {
        let nanos = i32::try_from(cents % CENTS).unwrap_or_default() * NANOS_PER_CENT;
        Self { currency_code: CURRENCY.to_owned(), units: cents / CENTS, nanos }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(currency: &str, units: i64, nanos: i32, expected: Result<i64, &str>) {
        let money = Money { currency_code: currency.to_owned(), units, nanos };
        assert_eq!(Cents::try_from(&money).map(|cents| cents.0), expected, "{money:?}");
    }

    #[test]
    fn reads_whole_cents_and_nothing_else() {
        check("USD", 1, 750_000_000, Ok(175));
        check("USD", -1, -750_000_000, Ok(-175));
        check("USD", 0, 0, Ok(0));
        check("EUR", 1, 0, Err("must be in USD"));
        check("", 1, 0, Err("must be in USD"));
        check("USD", 1, -1, Err("must have units and nanos of the same sign"));
        check("USD", 0, 1, Err("must be whole cents"));
        check("USD", 0, 1_000_000_000, Err("must have nanos between -999999999 and 999999999"));
        check("USD", i64::MAX, 0, Err("is too large"));
    }

    #[test]
    fn refuses_a_negative_price() {
        let mut violations = Violations::new();
        assert_eq!(Cents::read(Some(&Cents(-1).into()), "price", &mut violations), None);
        assert!(violations.check().is_err());
    }

    #[test]
    fn arithmetic_never_wraps() {
        assert_eq!(Cents(250).times(3).and_then(|sum| sum.plus(Cents(1))), Some(Cents(751)));
        assert_eq!(Cents(i64::MAX).plus(Cents(1)), None);
        assert_eq!(Cents(i64::MAX).times(2), None);
    }

    proptest! {
        #[test]
        fn money_survives_the_wire(cents: i64) {
            prop_assert_eq!(Cents::try_from(&Money::from(Cents(cents))), Ok(Cents(cents)));
        }
    }
}
