//! The chunk codec gives back what it was given, in few bytes.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use series::{Chunk, ChunkBuilder, SAMPLES_PER_CHUNK, Sample, stale_marker};

fn decoded(chunk: &Chunk) -> Vec<Sample> {
    chunk.samples().collect()
}

/// Any bits are a value: all NaNs, infinities, both zeros, integers at the edge of exactness.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<i64>().prop_map(|v| v as f64),
        (-100_000_i32..100_000).prop_map(f64::from),
        (0_u32..100_000).prop_map(|v| f64::from(v) / 1000.0),
        Just(0.0),
        Just(-0.0),
        Just(stale_marker()),
        Just(f64::INFINITY),
        Just(9_007_199_254_740_991.0),
        Just(-9_007_199_254_740_992.0),
    ]
}

fn any_times(count: usize) -> impl Strategy<Value = Vec<i64>> {
    let gap = prop_oneof![Just(1_000_i64), 990_i64..1_010, 1_i64..100_000, 1_i64..1 << 40];
    (-1_i64 << 45..1 << 45, prop::collection::vec(gap, count)).prop_map(|(start, gaps)| {
        let mut t = start;
        gaps.into_iter()
            .map(|gap| {
                t += gap;
                t
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_series_of_samples_comes_back(
        (times, values) in (1_usize..300).prop_flat_map(|n| (any_times(n), prop::collection::vec(any_value(), n)))
    ) {
        let samples: Vec<Sample> = times.into_iter().zip(values).map(|(t, v)| Sample { t, v }).collect();
        let chunk = Chunk::from_samples(&samples);
        prop_assert_eq!(chunk.len(), samples.len());
        prop_assert_eq!((chunk.min_t(), chunk.max_t()), (samples[0].t, samples[samples.len() - 1].t));
        prop_assert_eq!(decoded(&chunk), samples);
    }

    #[test]
    fn a_growing_chunk_can_be_read_at_any_time(values in prop::collection::vec(any_value(), 1..50)) {
        let mut builder = ChunkBuilder::new();
        let mut pushed = Vec::new();
        for (i, v) in values.into_iter().enumerate() {
            let sample = Sample { t: i as i64 * 1_000, v };
            builder.push(sample);
            pushed.push(sample);
            prop_assert_eq!(decoded(&builder.snapshot()), pushed.clone());
            prop_assert_eq!(builder.last(), Some(sample));
        }
    }
}

/// Bytes per sample of full chunks filled from `next`, with scrape times that wander by some milliseconds.
fn bytes_per_sample(mut next: impl FnMut(usize) -> f64) -> f64 {
    let (mut bytes, mut count) = (0, 0);
    for chunk in 0..20 {
        let mut builder = ChunkBuilder::new();
        for i in 0..SAMPLES_PER_CHUNK {
            let n = chunk * SAMPLES_PER_CHUNK + i;
            let wander = (n * 7_919 % 5) as i64 - 2;
            builder.push(Sample { t: 1_700_000_000_000 + n as i64 * 1_000 + wander, v: next(n) });
        }
        bytes += builder.snapshot().bytes();
        count += SAMPLES_PER_CHUNK;
    }
    bytes as f64 / count as f64
}

#[test]
fn typical_series_take_few_bytes() {
    // A generator of our own, so that the figures are the same everywhere.
    let mut seed = 42_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut total = 0_u64;
    let counter = bytes_per_sample(|_| {
        total += random(40);
        total as f64
    });
    let idle = bytes_per_sample(|_| 1_234.0);
    let gauge = bytes_per_sample(|n| (50 + n * 13 % 17) as f64);
    let memory = bytes_per_sample(|n| (120_000_000 + n * 4_096 % 262_144) as f64);
    println!(
        "bytes per sample: counter {counter:.2}, idle {idle:.2}, gauge {gauge:.2}, memory {memory:.2}"
    );
    for (name, bytes) in [("counter", counter), ("idle", idle), ("gauge", gauge)] {
        assert!(bytes <= 3.0, "a {name} takes {bytes:.2} bytes per sample");
    }
    // Most series of a service are buckets and counters; a few are sums of seconds.
    let mut seconds = 0.0;
    let sums = bytes_per_sample(|n| {
        seconds += (n * 37 % 101) as f64 / 1e4;
        seconds
    });
    let service = (15.0 * counter + 60.0 * idle + 5.0 * sums + 10.0 * gauge + 2.0 * memory) / 92.0;
    println!("bytes per sample: sums of seconds {sums:.2}, a service's mix {service:.2}");
    assert!(service <= 3.0, "a service takes {service:.2} bytes per sample");
}
