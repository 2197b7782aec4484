//! What a reader gives: facts to a taker, remarks to a bounded list.

use std::collections::BTreeMap;
use std::error::Error;

use jiff::civil::Date;

use super::error::{Place, ReadError};
use crate::range::fact::{Fact, FactKind, Use};

/// Remarks kept word by word; the rest is counted.
const MOST_REMARKS: usize = 20;

/// Takes facts; an error ends the reading.
pub type Taker<'a> = dyn FnMut(Fact) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// Where readers put what they find.
pub(super) struct Out<'a> {
    taker: &'a mut Taker<'a>,
    /// Facts of each kind so far.
    pub(super) counts: BTreeMap<FactKind, u64>,
    /// Records or objects met.
    pub(super) records: u64,
    /// Lines or records that could not be read.
    pub(super) lost: u64,
    /// Entries understood and of no use here: names of hosts, persons.
    pub(super) passed: u64,
    remarks: Vec<String>,
    /// The day that the content says it speaks of.
    pub(super) date: Option<Date>,
    /// The list's or table's name: as asked for, else what the reader knows, else the file's.
    pub(super) name: String,
    /// Whether the name was asked for.
    pub(super) named: bool,
    /// What a list of addresses is of, where somebody said so; a deny list otherwise.
    pub(super) used_for: Option<Use>,
    /// False for what is only a part of a table.
    pub(super) whole: bool,
}

impl<'a> Out<'a> {
    pub(super) fn new(taker: &'a mut Taker<'a>, name: String, named: bool, used_for: Option<Use>) -> Self {
        Self {
            taker,
            counts: BTreeMap::new(),
            records: 0,
            lost: 0,
            passed: 0,
            remarks: Vec::new(),
            date: None,
            name,
            named,
            used_for,
            whole: true,
        }
    }

    /// Hands a fact on.
    pub(super) fn fact(&mut self, fact: Fact) -> Result<(), ReadError> {
        *self.counts.entry(fact.kind()).or_default() += 1;
        (self.taker)(fact).map_err(ReadError::Taker)
    }

    /// Facts so far.
    pub(super) fn facts(&self) -> u64 {
        self.counts.values().sum()
    }

    /// A line or record that could not be read.
    pub(super) fn lost(&mut self, place: Place, why: &str) {
        self.lost += 1;
        self.remark(place, why);
    }

    /// Something to tell.
    pub(super) fn remark(&mut self, place: Place, why: &str) {
        if self.remarks.len() < MOST_REMARKS {
            self.remarks.push(format!("{place}{why}"));
        }
    }

    /// What the reader knows the table to be called.
    pub(super) fn call(&mut self, name: &str) {
        if !self.named {
            name.clone_into(&mut self.name);
        }
    }

    /// The day the content speaks of; the last word counts.
    pub(super) fn speaks_of(&mut self, date: Option<Date>) {
        self.date = date.or(self.date);
    }

    /// All there is to say, and how much more was lost.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut all = self.remarks.clone();
        if self.lost > 0 {
            all.push(match self.lost {
                1 => "1 line or record could not be read".to_owned(),
                lost => format!("{lost} lines or records could not be read"),
            });
        }
        if self.passed > 0 {
            all.push(format!("{} entries were passed over: not addresses, networks or ASes", self.passed));
        }
        all
    }
}
