CREATE INDEX events_kind_idx ON ONLY events (kind);
CREATE INDEX events_2025_kind_idx ON events_2025 (kind);
ALTER INDEX events_kind_idx ATTACH PARTITION events_2025_kind_idx;
CREATE INDEX events_2026_kind_idx ON events_2026 (kind);
ALTER INDEX events_kind_idx ATTACH PARTITION events_2026_kind_idx;
