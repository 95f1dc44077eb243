//! What goes wrong between processes: chance from a seed, and a relay that loses answers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that follow from a seed (SplitMix64).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
            value = (value ^ (value >> 30)).wrapping_mul(factor);
        }
        (value ^ (value >> 31)) % limit
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// Relays connections to a port. While it is told to, it takes one answer in so many for itself: the
/// request has had its effect, and nobody hears of it.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) port: u16,
    loses_one_in: Arc<AtomicU64>,
    seed: Arc<AtomicU64>,
}

impl Proxy {
    pub(super) fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", tests::free_port())).unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, loses_one_in: Arc::default(), seed: Arc::default() };
        let (loses_one_in, seed) = (Arc::clone(&proxy.loses_one_in), Arc::clone(&proxy.seed));
        std::thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let Ok(to) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let number = seed.fetch_add(1, Ordering::Relaxed);
                relay(from, to, Arc::clone(&loses_one_in), Chance::new(number));
            }
        });
        proxy
    }

    pub(super) fn lose_answers(&self, seed: u64, one_in: u64) {
        self.seed.store(seed ^ u64::from(self.port), Ordering::Relaxed);
        self.loses_one_in.store(one_in, Ordering::Relaxed);
    }

    pub(super) fn heal(&self) {
        self.loses_one_in.store(0, Ordering::Relaxed);
    }
}

fn relay(from: TcpStream, to: TcpStream, loses_one_in: Arc<AtomicU64>, mut chance: Chance) {
    let (mut asks, mut asked) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut asks, &mut asked);
        let _ = asked.shutdown(Shutdown::Both);
    });
    std::thread::spawn(move || {
        let (mut from, mut to) = (from, to);
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = to.read(&mut buffer) {
            let one_in = loses_one_in.load(Ordering::Relaxed);
            if one_in > 0 && chance.one_in(one_in) || from.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
