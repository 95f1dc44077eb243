//! Buckets in Redis, which all gateways share. One script takes out of a bucket
//! in one step, by the server's own clock: the gateways' clocks need not agree.
//!
//! A bucket is the key `limit:CLIENT` with the time at which it will be full
//! again, in microseconds since 1970. It ends by itself at that time, since a full
//! bucket is as good as none: keys of quiet clients take no room.
//!
//! Each gateway says every now and then that it is there (`limit:gateways`), so
//! that each knows into how many shares the limits fall while Redis is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chassis::Chassis;
use chassis::config::Secret;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};

use super::Verdict;
use super::buckets::{Asked, Away, Buckets, Taking};
use super::gate::{STORE_TIMEOUT, Shared};

/// How often a gateway says that it is there.
pub const TELL_EVERY: Duration = Duration::from_secs(1);

/// How long a gateway counts after it was last heard of.
pub const GONE_AFTER: Duration = Duration::from_secs(5);

/// Longest pause between attempts to connect again.
const RECONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Bucket, requests a second, burst, requests owed, whether one is wanted (1).
/// Gives whether it is allowed (1), and the microseconds until the bucket is full.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period = math.ceil(1000000 / ARGV[1])
local depth = period * ARGV[2]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
full_at = math.max(math.min(full_at + period * ARGV[3], now + depth), full_at)
local allowed = 0
if ARGV[4] == '1' and full_at + period <= now + depth then
  full_at = full_at + period
  allowed = 1
end
if full_at > now then
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return { allowed, full_at - now }
";

/// The set of gateways, this one's name, milliseconds until one is gone. Gives how
/// many there are.
const TELL: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
";

/// Buckets in a Redis server. Clones share the connection.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    take: Arc<Script>,
    tell: Arc<Script>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// The server at `url`, for example `redis://127.0.0.1:6379/0`. It is connected
    /// to when it is first asked, and again whenever it was away.
    pub fn open(url: &Secret) -> anyhow::Result<Self> {
        // What is wrong with it is not repeated: it may hold a password.
        let client = Client::open(url.expose()).ok().context(
            "CLOUDSCALE_REDIS is not the URL of a Redis server\nhelp: write for example \
             redis://127.0.0.1:6379/0",
        )?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(STORE_TIMEOUT))
            .set_response_timeout(Some(STORE_TIMEOUT))
            .set_max_delay(RECONNECT_WITHIN)
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(client, config)?;
        let (take, tell) = (Arc::new(Script::new(TAKE)), Arc::new(Script::new(TELL)));
        Ok(Self { connection, take, tell })
    }

    /// What a gateway shares with the others: these buckets, and their number.
    pub fn shared(self, chassis: &Chassis) -> Shared {
        let replicas = Arc::new(AtomicU32::new(1));
        let shared = Shared { buckets: Arc::new(self.clone()), replicas: Arc::clone(&replicas) };
        let instance = chassis.config.instance.clone();
        chassis.tasks.repeat("tell the other gateways", TELL_EVERY, move || {
            let (redis, replicas, instance) =
                (self.clone(), Arc::clone(&replicas), instance.clone());
            async move {
                // The number of before stands while Redis is away.
                if let Ok(count) = redis.tell(&instance).await {
                    replicas.store(count.max(1), Ordering::Relaxed);
                }
            }
        });
        shared
    }

    async fn tell(&self, instance: &str) -> Result<u32, RedisError> {
        let mut said = self.tell.key("limit:gateways");
        said.arg(instance).arg(GONE_AFTER.as_millis() as u64);
        said.invoke_async(&mut self.connection.clone()).await
    }

    async fn ask(&self, asked: Asked<'_>) -> Result<Verdict, RedisError> {
        let Asked { key, allowance, owed, wanted } = asked;
        let mut call = self.take.key(format!("limit:{key}"));
        call.arg(allowance.per_second.get()).arg(allowance.burst.get());
        call.arg(owed).arg(u8::from(wanted));
        let (allowed, missing_us): (u8, u64) =
            call.invoke_async(&mut self.connection.clone()).await?;
        let period_us = 1_000_000_u64.div_ceil(allowance.per_second.get().into());
        let limit = allowance.burst.get();
        let room_us = (period_us * u64::from(limit)).saturating_sub(missing_us);
        let remaining = u32::try_from(room_us / period_us).unwrap_or(limit);
        let retry_after_s = match allowed {
            1 => 0,
            _ => period_us.saturating_sub(room_us).div_ceil(1_000_000).max(1),
        };
        let reset_s = missing_us.div_ceil(1_000_000);
        Ok(Verdict { allowed: allowed == 1, limit, remaining, reset_s, retry_after_s })
    }
}

impl Buckets for Redis {
    fn take<'a>(&'a self, asked: Asked<'a>) -> Taking<'a> {
        Box::pin(async move { self.ask(asked).await.map_err(|error| Away(error.to_string())) })
    }
}
