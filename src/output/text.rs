//! Plain text for a terminal: wrapping, columns, and colour that carries no
//! meaning of its own.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters of a configuration's name in a heading.
const NAME: usize = 20;

/// A style that says nothing which the words don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Heading,
    Good,
    Bad,
    Doubtful,
    Quiet,
}

/// `text` in a style, as ANSI codes; whoever prints strips them where they are
/// not wanted.
pub(super) fn painted(paint: Paint, text: &str) -> String {
    let code = match paint {
        Paint::Heading => "1",
        Paint::Good => "32",
        Paint::Bad => "31",
        Paint::Doubtful => "33",
        Paint::Quiet => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// What heads a column about a configuration: a word in capitals, or the end of a path, which
/// tells it from others.
pub(super) fn head_of(name: &str) -> String {
    let is_path = name.contains(['/', '\\', '.']) || name.chars().count() > NAME;
    if is_path { end(name) } else { name.to_uppercase() }
}

/// The end of a path.
pub(super) fn end(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - NAME)).collect()
}

/// `text` in lines of at most `width` columns: the first after `first`, the
/// others after as much space.
pub(super) fn wrapped(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(length(first));
    let mut lines = vec![first.to_owned()];
    let mut fresh = true;
    for word in glued(text) {
        let line = lines.last_mut().expect("there is always a line");
        if !fresh && length(line) + 1 + length(&word) > width {
            lines.push(format!("{indent}{word}"));
            continue;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(&word);
        fresh = false;
    }
    lines
}

/// The words of a text; a unit is one word with its number.
fn glued(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches([',', ';', ':', ')', '.']);
        let is_unit = matches!(bare, "%" | "ms" | "s" | "min" | "h" | "KiB" | "MiB" | "GiB" | "TiB");
        match words.last_mut().filter(|before| is_unit && before.ends_with(|c: char| c.is_ascii_digit())) {
            Some(before) => *before = format!("{before} {word}"),
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// Which side the cells of a column lean to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows as lines, columns two spaces apart and as wide as their widest cell.
pub(super) fn columns(sides: &[Side], rows: &[Vec<String>]) -> Vec<String> {
    let widest = |column: usize| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..sides.len()).map(widest).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(sides).zip(&widths).map(|((cell, side), width)| {
            let space = " ".repeat(width - length(cell));
            match side {
                Side::Left => format!("{cell}{space}"),
                Side::Right => format!("{space}{cell}"),
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// `text` cut to `width` columns, with a sign that it was.
pub(super) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    front(text.chars(), width.saturating_sub(1)).chain(['…']).collect()
}

/// `name` cut to `width` columns in its middle: names of one release begin alike, and
/// their ends tell them apart.
pub(super) fn shortened(name: &str, width: usize) -> String {
    if length(name) <= width {
        return name.to_owned();
    }
    let end = width / 2;
    let mut last: Vec<char> = front(name.chars().rev(), end).collect();
    last.reverse();
    front(name.chars(), width.saturating_sub(end + 1)).chain(['…']).chain(last).collect()
}

/// As many of the characters as fit into `width` columns.
fn front(characters: impl Iterator<Item = char>, width: usize) -> impl Iterator<Item = char> {
    let ends = characters.scan(0, |end, c| {
        *end += c.width().unwrap_or(0);
        Some((*end, c))
    });
    ends.take_while(move |(end, _)| *end <= width).map(|(_, c)| c)
}

/// Columns on the screen: a Chinese character takes two.
pub(super) fn length(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_heads_its_column_as_it_is_written() {
        for (name, head) in [
            ("compose", "COMPOSE"),
            ("deploy/prod", "deploy/prod"),
            ("b.yaml", "b.yaml"),
            ("/srv/manifests/online-boutique", "…sts/online-boutique"),
        ] {
            assert_eq!(head_of(name), head);
        }
    }

    #[test]
    fn long_lines_hang_below_their_first_word() {
        let lines = wrapped("- ", "the quick brown fox jumps", 12);
        assert_eq!(lines, ["- the quick", "  brown fox", "  jumps"]);
        assert_eq!(wrapped("", "takes 12.5 %, not 1", 8), ["takes", "12.5 %,", "not 1"]);
        assert_eq!(wrapped("", "", 12), [""]);
        assert_eq!(wrapped("", "unbreakable", 4), ["unbreakable"]);
    }

    #[test]
    fn what_is_too_long_is_cut_to_its_columns() {
        for (text, width, cut_to, short) in [
            ("chat-service", 12, "chat-service", "chat-service"),
            ("chat-service", 6, "chat-…", "ch…ice"),
            ("kube-prometheus-stack-operator", 22, "kube-prometheus-stack…", "kube-prome…ck-operator"),
            ("可用性政策", 10, "可用性政策", "可用性政策"),
            ("可用性政策", 6, "可用…", "可…策"),
        ] {
            let (seen, seen_short) = (cut(text, width), shortened(text, width));
            assert_eq!((seen.as_str(), seen_short.as_str()), (cut_to, short), "{text} in {width}");
        }
    }

    #[test]
    fn columns_align_by_what_is_seen() {
        let rows = [vec!["a".to_owned(), "10 ✓".to_owned()], vec!["long".to_owned(), "9".to_owned()]];
        assert_eq!(columns(&[Side::Left, Side::Right], &rows), ["a     10 ✓", "long     9"]);
        let rows = [vec!["可用性".to_owned(), "1".to_owned()], vec!["a".to_owned(), "2".to_owned()]];
        assert_eq!(columns(&[Side::Left, Side::Right], &rows), ["可用性  1", "a       2"]);
    }
}
