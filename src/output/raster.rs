//! A chart as PNG, lettered with a font of our own: the same on every machine.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// DejaVu Sans, cut down to Latin and a few signs (assets/fonts/LICENSE).
const FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans-subset.ttf");
/// Pixels per unit of the SVG: sharp on dense screens and in slides.
const SCALE: f32 = 2.0;

/// A chart's SVG as PNG.
pub fn png(svg: &str) -> Vec<u8> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let options =
        Options { fontdb: Arc::new(fonts), font_family: "DejaVu Sans".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).expect("charts are valid SVG");
    let size = tree.size();
    let mut pixels = Pixmap::new((size.width() * SCALE) as u32, (size.height() * SCALE) as u32)
        .expect("charts have an area");
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    encode(pixels)
}

/// A picture's bytes. A chart covers its whole area, so no pixel shows anything through.
/// They are packed as fast as can be: the usual level takes five times as long for two thirds
/// of the bytes.
fn encode(pixels: Pixmap) -> Vec<u8> {
    let (width, height) = (pixels.width(), pixels.height());
    let mut rgb = pixels.take();
    debug_assert!(rgb.chunks_exact(4).all(|pixel| pixel[3] == u8::MAX), "a chart has a background");
    let count = rgb.len() / 4;
    for pixel in 1..count {
        rgb.copy_within(4 * pixel..4 * pixel + 3, 3 * pixel);
    }
    rgb.truncate(3 * count);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_filter(png::Filter::Up);
    encoder.set_deflate_compression(png::DeflateCompression::Level(1));
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&rgb));
    written.expect("memory takes every picture");
    bytes
}
