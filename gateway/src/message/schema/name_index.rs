//! From a name to a small number: what every key of a JSON object is looked up in.
//! The names are the schema's, so a quick hash without a secret is enough.

pub(crate) struct NameIndex {
    names: Box<[(Box<[u8]>, u16)]>,
    /// Positions in `names`; a power of two of them, at least half of them empty.
    slots: Box<[u16]>,
}

const EMPTY: u16 = u16::MAX;

impl NameIndex {
    pub(crate) fn builder() -> Builder {
        Builder { names: Vec::new() }
    }

    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<u16> {
        let mut slot = hash(name);
        loop {
            let position = *self.slots.get(slot & (self.slots.len() - 1))?;
            let (known, number) = self.names.get(usize::from(position))?;
            if **known == *name {
                return Some(*number);
            }
            slot += 1;
        }
    }
}

impl NameIndex {
    /// Every name with its number, in the order in which they were added.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], u16)> {
        self.names.iter().map(|(name, number)| (&**name, *number))
    }
}

pub(crate) struct Builder {
    names: Vec<(Box<[u8]>, u16)>,
}

impl Builder {
    /// The first number given to a name stays.
    pub(crate) fn add(&mut self, name: &[u8], number: u16) {
        self.names.push((name.into(), number));
    }

    pub(crate) fn build(self) -> NameIndex {
        let mut names: Vec<(Box<[u8]>, u16)> = Vec::with_capacity(self.names.len());
        let mut slots = vec![EMPTY; (self.names.len() * 2).next_power_of_two().max(2)];
        let mask = slots.len() - 1;
        'names: for (name, number) in self.names {
            let mut slot = hash(&name) & mask;
            while slots[slot] != EMPTY {
                if names[usize::from(slots[slot])].0 == name {
                    continue 'names;
                }
                slot = (slot + 1) & mask;
            }
            if let Ok(position) = u16::try_from(names.len()) {
                slots[slot] = position;
                names.push((name, number));
            }
        }
        NameIndex { names: names.into(), slots: slots.into() }
    }
}

#[inline]
fn hash(name: &[u8]) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = name.as_chunks::<8>();
    let mut hash = name.len() as u64;
    for word in words {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
    }
    let mut last = 0;
    for byte in rest {
        last = last << 8 | u64::from(*byte);
    }
    hash = (hash.rotate_left(23) ^ last).wrapping_mul(ODD);
    usize::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_name_and_no_other() {
        let names: Vec<String> = (0..1000).map(|n| format!("field_{n}")).collect();
        let mut builder = NameIndex::builder();
        for (name, number) in names.iter().zip(0..) {
            builder.add(name.as_bytes(), number);
        }
        builder.add(b"field_7", 9999);
        let index = builder.build();
        for (name, number) in names.iter().zip(0..) {
            assert_eq!(index.find(name.as_bytes()), Some(number));
        }
        assert_eq!(index.find(b"field_1000"), None);
        assert_eq!(index.find(b""), None);
        assert_eq!(NameIndex::builder().build().find(b"a"), None);
    }
}
