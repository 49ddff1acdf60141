//! Hands the name of the platform on, which only build scripts are told.

fn main() {
    println!("cargo::rustc-env=TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
