//! Registry objects of one dataset, packed: a registry has millions of them, and a question wants a few.
//!
//! Each stands as its CBOR, some 200 bytes, and is read when asked for. Objects with addresses are sorted by these; all
//! can be found by what they name, through a table of hashes that is made when first asked and whose finds are checked.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::OnceLock;

use minicbor::{Decoder, Encoder};

use super::fact::{ObjectClass, ObjectKey, RegistryObject};
use super::pack::{object, read_object};
use super::sorted::Sorted;
use super::span::AddressRange;

/// By what registry objects are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// The `org` handle.
    Org(&'a str),
    /// A maintainer.
    Maintainer(&'a str),
    /// The abuse contact's handle.
    AbuseContact(&'a str),
    /// An administrative or technical contact's handle.
    Contact(&'a str),
    /// The name (`netname`, `as-name`), exactly.
    Name(&'a str),
}

/// The objects.
#[derive(Debug, Default)]
pub(super) struct Objects {
    packed: Vec<u8>,
    /// Where each begins.
    starts: Vec<u64>,
    /// Those with addresses, until they are sorted.
    unsorted: Vec<(AddressRange, u32)>,
    space: Sorted<(AddressRange, u32)>,
    /// Hash of something an object names, and its place; ascending.
    named: OnceLock<Vec<(u32, u32)>>,
}

impl Objects {
    /// Adds one.
    pub(super) fn add(&mut self, one: &RegistryObject) {
        let place = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
        self.starts.push(self.packed.len() as u64);
        object(one, &mut Encoder::new(&mut self.packed));
        self.unsorted.extend(one.addresses().map(|range| (range, place)));
    }

    /// The same, ready to be asked.
    pub(super) fn sorted(mut self) -> Self {
        self.packed.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.space = Sorted::new(std::mem::take(&mut self.unsorted), |(range, _)| *range);
        self
    }

    fn at(&self, place: u32) -> Option<RegistryObject> {
        let start = usize::try_from(*self.starts.get(place as usize)?).ok()?;
        let mut packed = Decoder::new(self.packed.get(start..)?);
        packed.array().ok()?;
        read_object(&mut packed).ok()
    }

    /// Every object, in the order of the file.
    pub(super) fn every(&self) -> impl Iterator<Item = RegistryObject> {
        (0u32..).take(self.starts.len()).filter_map(|place| self.at(place))
    }

    /// Those that hold the address, the last to begin first.
    pub(super) fn covering(&self, address: IpAddr) -> impl Iterator<Item = RegistryObject> {
        self.space.covering(address).filter_map(|(_, place)| self.at(*place))
    }

    /// Those that begin inside the range.
    pub(super) fn beginning_in(&self, range: &AddressRange) -> impl Iterator<Item = RegistryObject> {
        self.space.beginning_in(range).iter().filter_map(|(_, place)| self.at(*place))
    }

    /// Those that share a handle or name.
    pub(super) fn by(&self, by: By<'_>) -> impl Iterator<Item = RegistryObject> {
        let is = |text: &str, wanted: &str| text.eq_ignore_ascii_case(wanted);
        let fits = move |object: &RegistryObject| match by {
            By::Org(handle) => object.org.as_deref().is_some_and(|org| is(org, handle)),
            By::Maintainer(handle) => object.maintainers.iter().any(|one| is(one, handle)),
            By::AbuseContact(handle) => object.abuse_contact.as_deref().is_some_and(|one| is(one, handle)),
            By::Contact(handle) => object.contacts.iter().any(|one| is(one, handle)),
            By::Name(name) => is(&object.name, name),
        };
        let text = match by {
            By::Org(text) | By::Maintainer(text) | By::AbuseContact(text) | By::Contact(text) | By::Name(text) => text,
        };
        self.naming(text).filter(fits)
    }

    /// The object of this class and key: a handle, or an AS number as `AS64500`.
    pub(super) fn keyed(&self, class: ObjectClass, key: &str) -> Option<RegistryObject> {
        self.naming(key).find(|object| object.class == class && names_key(object, key))
    }

    /// Objects that name something with the hash of `text`.
    fn naming(&self, text: &str) -> impl Iterator<Item = RegistryObject> {
        let wanted = hash(text);
        let named = self.named.get_or_init(|| self.names());
        let from = named.partition_point(|(hash, _)| *hash < wanted);
        let places = named.iter().skip(from).take_while(move |(hash, _)| *hash == wanted);
        places.filter_map(|(_, place)| self.at(*place))
    }

    fn names(&self) -> Vec<(u32, u32)> {
        let mut all = Vec::with_capacity(self.starts.len() * 4);
        for (place, object) in (0u32..).zip(self.every()) {
            let own = match &object.key {
                ObjectKey::Number(asn) => Some(asn.to_string()),
                ObjectKey::Handle(handle) => Some(handle.clone()),
                ObjectKey::Addresses(_) | ObjectKey::Route(..) => None,
            };
            let one = [&object.org, &object.abuse_contact, &own];
            let texts =
                one.into_iter().flatten().chain(&object.maintainers).chain(&object.contacts).chain([&object.name]);
            all.extend(texts.filter(|text| !text.is_empty()).map(|text| (hash(text), place)));
        }
        all.sort_unstable();
        all.dedup();
        all.shrink_to_fit();
        all
    }
}

fn names_key(object: &RegistryObject, key: &str) -> bool {
    match &object.key {
        ObjectKey::Number(asn) => asn.to_string().eq_ignore_ascii_case(key),
        ObjectKey::Handle(handle) => handle.eq_ignore_ascii_case(key),
        ObjectKey::Addresses(_) | ObjectKey::Route(..) => false,
    }
}

/// The same for upper and lower case.
fn hash(text: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    text.to_ascii_uppercase().hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::fact::Asn;

    #[test]
    fn objects_are_found_by_address_by_key_and_by_what_they_name_in_any_case() {
        let mut objects = Objects::default();
        for (at, org) in ["ORG-A", "ORG-B", "ORG-A"].into_iter().enumerate() {
            let first = [192, 0, 2, u8::try_from(at * 8).unwrap()].into();
            let range = AddressRange::counted(first, 8).unwrap();
            let mut one = RegistryObject::new(ObjectClass::Inetnum, ObjectKey::Addresses(range));
            one.org = Some(org.to_owned());
            one.maintainers = vec!["X-MNT".to_owned(), format!("M{at}-MNT")];
            objects.add(&one);
        }
        objects.add(&RegistryObject::new(ObjectClass::AutNum, ObjectKey::Number(Asn(64_500))));
        objects.add(&RegistryObject::new(ObjectClass::Mntner, ObjectKey::Handle("X-MNT".to_owned())));
        let objects = objects.sorted();
        assert_eq!(objects.every().count(), 5);
        assert_eq!(objects.covering("192.0.2.9".parse().unwrap()).count(), 1);
        assert_eq!(objects.beginning_in(&AddressRange::of("192.0.2.0/28".parse().unwrap())).count(), 2);
        assert_eq!(objects.by(By::Org("org-a")).count(), 2);
        assert_eq!(objects.by(By::Maintainer("x-mnt")).count(), 3, "not the maintainer itself");
        assert_eq!(objects.by(By::Maintainer("M1-MNT")).count(), 1);
        assert_eq!(objects.by(By::Org("X-MNT")).count(), 0);
        assert!(objects.keyed(ObjectClass::AutNum, "as64500").is_some());
        assert!(objects.keyed(ObjectClass::Mntner, "x-mnt").is_some());
        assert!(objects.keyed(ObjectClass::Mntner, "AS64500").is_none());
    }
}
