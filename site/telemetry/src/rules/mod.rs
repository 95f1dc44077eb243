mod durations;
mod template;
