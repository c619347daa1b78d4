//! What a plot is drawn with.
//!
//! The colours are readable on a light and on a dark page, and the background is left to it.

use std::fmt::Write;

/// Text, and thin lines.
pub const TEXT: &str = "#7d7d7d";
/// This project.
pub const OURS: &str = "#2f7de1";
/// This project in other forms.
pub const OURS_OTHER: &str = "#86b5f0";
/// The others.
pub const PEER: &str = "#9b9b9b";
/// What nobody can be faster than.
pub const FLOOR: &str = "#c99a2e";

/// How high a bar is.
pub const BAR_HEIGHT: f64 = 11.0;

/// The page of this size around what was drawn.
pub fn page(title: &str, (width, height): (f64, f64), body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">\n\
         <title>{title}</title>\n{body}</svg>\n"
    )
}

/// A bar, from its upper left corner.
pub fn push_bar(body: &mut String, (left, top): (f64, f64), len: f64, colour: &str) {
    let _ = writeln!(
        body,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{len:.1}\" height=\"{BAR_HEIGHT}\" fill=\"{colour}\"/>"
    );
}

/// A line of text. `font` is a size, which `bold` may stand before.
pub fn push_text(body: &mut String, (x, y): (f64, f64), anchor: &str, font: &str, text: &str) {
    let (weight, size) = font.split_once(' ').unwrap_or(("normal", font));
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" font-weight=\"{weight}\" \
         fill=\"{TEXT}\">{text}</text>"
    );
}
