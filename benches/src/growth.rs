//! How the cost of one request grows with what it carries and with what is configured.

use crate::{
    cases::{case, file, ok, responding, Case, PREFIX},
    cost, document,
    request::Template,
};
use http::{
    header::{LOCATION, SET_COOKIE},
    HeaderMap, HeaderName, HeaderValue,
};
use plotters::prelude::*;
use std::{error::Error, net::Ipv4Addr, path::Path};
use tower_root_path::{ForwardedPrefix, OpenApiLayer, Rewrite, RootPathLayer, TrustedProxies};

/// What grows, in which steps, the case for each step, and what is measured.
struct Axis {
    name: &'static str,
    steps: &'static [usize],
    case: fn(usize) -> Case,
    measure: Measure,
}

/// A quantity of one request, above the same without the layer.
struct Measure {
    unit: &'static str,
    of: fn(&[&str]) -> f64,
}

const INSTRUCTIONS: Measure = Measure {
    unit: "instructions",
    of: cost::instructions,
};

const DOCUMENT_SIZES: &[usize] = &[1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000];

const AXES: &[Axis] = &[
    Axis {
        name: "bytes of the path, strip",
        steps: &[10, 100, 1_000, 2_000, 4_000, 8_000],
        case: |bytes| {
            let path = format!("{PREFIX}/{}", "x".repeat(bytes));
            let layer = RootPathLayer::new(PREFIX).strip_if_present();
            case("", Template::new(&path, &[]), ok, layer)
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "bytes of the path, already stripped",
        steps: &[10, 100, 1_000, 2_000, 4_000, 8_000],
        case: |bytes| {
            let path = format!("/{}", "x".repeat(bytes));
            case(
                "",
                Template::new(&path, &[]),
                ok,
                RootPathLayer::new(PREFIX),
            )
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "request headers, forwarded prefix absent",
        steps: &[0, 1, 10, 25, 50, 100],
        case: |headers| {
            let layer = RootPathLayer::new(PREFIX)
                .with_forwarded(forwarded())
                .without_vary();
            case("", Template::with_headers("/x", headers), ok, layer)
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "response headers, redirect",
        steps: &[0, 1, 10, 25, 50, 100],
        case: |count| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_static("/login"));
            for i in 0..count {
                let name = HeaderName::try_from(format!("x-{i}")).expect("it is a name");
                headers.insert(name, HeaderValue::from_static("x"));
            }
            let app = responding(headers);
            case(
                "",
                Template::new("/x", &[]),
                app,
                RootPathLayer::new(PREFIX),
            )
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "Set-Cookie lines",
        steps: &[0, 1, 10, 25, 50],
        case: |count| {
            let mut headers = HeaderMap::new();
            for _ in 0..count {
                let cookie = HeaderValue::from_static("session=0123456789abcdef; Path=/; HttpOnly");
                headers.append(SET_COOKIE, cookie);
            }
            let layer = RootPathLayer::new(PREFIX).rewrite(Rewrite::all());
            case("", Template::new("/x", &[]), responding(headers), layer)
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "stacked layers",
        steps: &[1, 2, 3, 4],
        case: |count| {
            let layers = ["/a", "/b", "/c", "/d"].map(RootPathLayer::new);
            let template = Template::new("/x", &[]);
            let [a, b, c, d] = layers;
            match count {
                1 => case("", template, ok, a),
                2 => case("", template, ok, (a, b)),
                3 => case("", template, ok, (a, b, c)),
                _ => case("", template, ok, (a, b, c, d)),
            }
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "trusted networks",
        steps: &[1, 10, 100, 1_000, 10_000, 100_000],
        case: |count| {
            let addrs = (0..count).map(|i| Ipv4Addr::from_bits(2 * i as u32).into());
            let trusted: TrustedProxies = addrs.collect();
            let forwarded = ForwardedPrefix::x_forwarded_prefix(trusted);
            let forwarded = forwarded.peer_addr(|_| Some(Ipv4Addr::new(0, 0, 0, 0).into()));
            let layer = RootPathLayer::new(PREFIX)
                .with_forwarded(forwarded)
                .without_vary();
            case(
                "",
                Template::new("/x", &[("x-forwarded-prefix", PREFIX)]),
                ok,
                layer,
            )
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "members of the forwarded list",
        steps: &[1, 10, 100, 500, 1_000],
        case: |count| {
            let list = vec!["/a"; count].join(", ");
            let layer = RootPathLayer::new("")
                .with_forwarded(forwarded().hops(2))
                .without_vary();
            case(
                "",
                Template::new("/x", &[("x-forwarded-prefix", &list)]),
                ok,
                layer,
            )
        },
        measure: INSTRUCTIONS,
    },
    Axis {
        name: "bytes of an OpenAPI document",
        steps: DOCUMENT_SIZES,
        case: document,
        measure: Measure {
            unit: "instructions",
            of: cost::instructions_of_a_long_request,
        },
    },
    Axis {
        name: "bytes of an OpenAPI document, memory",
        steps: DOCUMENT_SIZES,
        case: document,
        measure: Measure {
            unit: "bytes at peak",
            of: cost::peak_memory,
        },
    },
];

fn document(bytes: usize) -> Case {
    let template = Template::new("/openapi.json", &[]);
    let layer = (
        RootPathLayer::new(PREFIX),
        OpenApiLayer::new("/openapi.json").limit(bytes),
    );
    case(
        "",
        template,
        file(document::of_size(bytes), "application/json"),
        layer,
    )
}

fn forwarded() -> ForwardedPrefix {
    ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all())
}

pub(crate) fn find(axis: &str, step: usize) -> Case {
    let found = AXES.iter().find(|known| known.name == axis);
    let axis = found.unwrap_or_else(|| panic!("there is no axis {axis:?}"));
    (axis.case)(step)
}

/// Prints a table, and writes a plot of it to `path`.
pub(crate) fn print(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut curves = Vec::new();
    println!("| | size | cost | |");
    println!("|---|--:|--:|---|");
    for axis in AXES {
        let mut points = Vec::new();
        for step in axis.steps {
            let cost = (axis.measure.of)(&["growth", axis.name, &step.to_string()]);
            let (name, unit) = (axis.name, axis.measure.unit);
            println!("| {name} | {step} | {cost:.0} | {unit} |");
            points.push((*step as f64, cost));
        }
        curves.push(Curve { axis, points });
    }
    draw(path, &curves)
}

struct Curve {
    axis: &'static Axis,
    points: Vec<(f64, f64)>,
}

/// Draws each curve in a field of its own, both axes from zero: what bends upwards is seen.
fn draw(path: &Path, curves: &[Curve]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (1000, 1500)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, Curve { axis, points }) in root.split_evenly((5, 2)).iter().zip(curves) {
        let max =
            |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).fold(1.0, f64::max);
        let (right, top) = (max(&|point| point.0), max(&|point| point.1));
        let mut chart = ChartBuilder::on(area)
            .caption(axis.name, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..right, 0.0..top * 1.1)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_labels(5).y_labels(5).max_light_lines(0);
        mesh.x_label_formatter(&label).y_label_formatter(&label);
        mesh.y_desc(axis.measure.unit).draw()?;
        chart.draw_series(LineSeries::new(points.iter().copied(), &BLUE))?;
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 3, BLUE.filled()));
        chart.draw_series(dots)?;
    }
    root.present()?;
    Ok(())
}

/// A number as short as there is space for: `50M`.
fn label(number: &f64) -> String {
    let units = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    let unit = units.iter().find(|(unit, _)| number >= unit);
    let (unit, symbol) = unit.unwrap_or(&(1.0, ""));
    format!("{}{symbol}", number / unit)
}
