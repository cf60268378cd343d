//! The tables of commands say what Mesa's own description of Gen9 says: every name, length and field.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gpu_intel::command::{self, Command, Field, Kind, Layout};
use roxmltree::{Document, Node};
use vgate_tests::guest_folder;

/// What genxml spells in its own way.
const SPELLED: &[(&str, &str)] =
    &[("Display Plnae", "Display Plane"), ("MFX_MPEG_TS_CONTROL command", "MFX_MPEG_TS_CONTROL")];

/// A field: its lowest and highest bit, its name, and the structure that stands in it.
type Fields = BTreeMap<(u32, u32, String), Option<String>>;

/// Bits and what they hold: lowest, highest, value.
type Values = Vec<(u32, u32, u32)>;

fn spelled(name: &str) -> String {
    SPELLED.iter().fold(name.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}

/// An element of genxml, reduced to what is compared.
struct Described {
    fields: Fields,
    /// Rows of fields: count, first bit, bits from one to the next.
    rows: Vec<((u32, u32, u32), Fields)>,
    /// Dwords, if that is fixed.
    length: Option<u32>,
    /// The values of fields that have one, by their bits: they name the command.
    values: Values,
}

fn number(node: Node<'_, '_>, name: &str) -> Option<u32> {
    let text = node.attribute(name)?;
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn fields(node: Node<'_, '_>, structures: &[String]) -> Result<(Fields, Values)> {
    let command = node.has_tag_name("instruction");
    let (mut fields, mut values) = (Fields::new(), Vec::new());
    for field in node.children().filter(|n| n.has_tag_name("field")) {
        let (low, high) = number(field, "start").zip(number(field, "end")).context("no bits")?;
        let (name, kind) = field.attribute("name").zip(field.attribute("type")).context("bare")?;
        // What tells commands apart and counts their dwords is no field of ours.
        let value = number(field, "default");
        let counts = name == "DWord Length";
        if command && high < 32 && (counts || low >= 16 && value.is_some()) {
            values.push((low, high, value.unwrap_or(0)));
            continue;
        }
        let inner = structures.iter().any(|s| s == kind).then(|| kind.to_owned());
        fields.insert((low, high, spelled(name)), inner);
    }
    Ok((fields, values))
}

fn described(node: Node<'_, '_>, structures: &[String]) -> Result<Described> {
    let (inner, values) = fields(node, structures)?;
    let mut rows = Vec::new();
    for group in node.children().filter(|n| n.has_tag_name("group")) {
        let place = number(group, "count")
            .zip(number(group, "start"))
            .zip(number(group, "size"))
            .map(|((count, first), step)| (count, first, step));
        rows.push((place.context("a group without a place")?, fields(group, structures)?.0));
    }
    Ok(Described { fields: inner, rows, length: number(node, "length"), values })
}

/// All elements of one kind in a file and in the files that it imports, by name.
fn elements(folder: &Path, file: &str, kind: &str) -> Result<BTreeMap<String, String>> {
    let path = folder.join(file);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{}: run `scripts/setup genxml`", path.display()))?;
    let document = Document::parse(&text)?;
    let mut found = BTreeMap::new();
    for node in document.root_element().children().filter(Node::is_element) {
        if node.has_tag_name("import") {
            let excluded: Vec<_> = node.children().filter_map(|n| n.attribute("name")).collect();
            let mut imported = elements(folder, node.attribute("name").context("import")?, kind)?;
            imported.retain(|name, _| !excluded.contains(&name.as_str()));
            imported.append(&mut found);
            found = imported;
        } else if node.has_tag_name(kind) {
            let name = node.attribute("name").context("no name")?;
            found.insert(name.to_owned(), text[node.range()].to_owned());
        }
    }
    Ok(found)
}

fn ours(fields: &[Field]) -> Fields {
    let field = |field: &Field| {
        let inner = match field.kind {
            Kind::Structure(inner) => Some(inner.name.to_owned()),
            _ => None,
        };
        ((field.low.into(), field.high.into(), field.name.to_owned()), inner)
    };
    fields.iter().map(field).collect()
}

fn compare(name: &str, theirs: &Described, layout: &Layout, wrong: &mut Vec<String>) {
    if theirs.fields != ours(layout.fields) {
        wrong.push(format!("{name}: {:?} is not {:?}", ours(layout.fields), theirs.fields));
    }
    let rows: Vec<_> = layout
        .repeats
        .iter()
        .map(|row| ((row.count.into(), row.first.into(), row.step.into()), ours(row.fields)))
        .collect();
    if rows != theirs.rows {
        wrong.push(format!("{name}: rows {rows:?} are not {:?}", theirs.rows));
    }
}

/// A length that genxml gives must be one that the table allows; where the table allows one only, that.
fn compare_length(theirs: &Described, command: &Command, wrong: &mut Vec<String>) {
    let allowed = match theirs.length {
        None => true,
        Some(dwords) => command.length.allows(dwords as usize),
    };
    let counted = theirs.values.iter().find(|(low, ..)| *low == 0).map(|(_, high, _)| high + 1);
    let bits = match command.length.counting_bits() {
        0 => counted,
        bits => Some(bits.count_ones()),
    };
    if !allowed || bits != counted {
        wrong.push(format!("{}: {:?} is not {:?}", command.name, command.length, theirs.length));
    }
}

#[test]
#[ignore = "make test-long: needs scripts/setup genxml"]
fn the_tables_agree_with_genxml_on_every_command_of_gen9() -> Result<()> {
    let folder = guest_folder().join("genxml");
    let structures = elements(&folder, "gen90.xml", "struct")?;
    let names: Vec<_> = structures.keys().cloned().collect();
    let mut wrong = Vec::new();
    let (mut compared, mut compared_fields) = (0, 0);
    for (name, text) in elements(&folder, "gen90.xml", "instruction")? {
        let document = Document::parse(&text)?;
        let theirs = described(document.root_element(), &names)?;
        let name = spelled(&name);
        let Some(command) = command::all().find(|c| c.name == name) else {
            wrong.push(format!("{name}: not in the tables"));
            continue;
        };
        let key = theirs.values.iter().filter(|(low, ..)| *low >= 16);
        let key = key.fold(0, |key, (low, _, value)| key | value << low);
        if command.key != key & command.mask {
            wrong.push(format!("{name}: key {:#x} is not {key:#x}", command.key));
        }
        compare_length(&theirs, command, &mut wrong);
        compare(&name, &theirs, &command.layout, &mut wrong);
        compared += 1;
        compared_fields += theirs.fields.len();
        for field in command.layout.fields {
            let Kind::Structure(inner) = field.kind else { continue };
            let text = structures.get(inner.name).with_context(|| inner.name.to_owned())?;
            let document = Document::parse(text)?;
            let theirs = described(document.root_element(), &names)?;
            compare(inner.name, &theirs, &inner.layout, &mut wrong);
        }
    }
    println!("{compared} commands with {compared_fields} fields compared");
    ensure!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(compared >= 228, "genxml has only {compared} commands");
    Ok(())
}
