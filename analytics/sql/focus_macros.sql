-- Whole numbers for focus_rows.sql: money in 1e-12, rates per million tokens in 1e-16.
-- Rounded half up; 64 bits are enough for nearly all, and far quicker.
CREATE TEMP MACRO focus_rate(units, tokens) AS
    CASE WHEN units < 9_000_000_000_000_000_000 AND tokens < 900_000_000 AND units < tokens::HUGEINT * 900_000_000
         THEN ((units::BIGINT // tokens) * 10_000_000_000
               + ((units::BIGINT % tokens) * 10_000_000_000 + tokens // 2) // tokens)::DECIMAL(38, 0)
         ELSE ((units * 20_000_000_000 + tokens) // (tokens::HUGEINT * 2))::DECIMAL(38, 0) END;
-- As much of `whole` as `part` is of `of`; of very large amounts by their first 18 digits.
CREATE TEMP MACRO focus_share(whole, part, of) AS
    whole * (part // greatest(abs(of) // 1_000_000_000_000_000_000, 1))
        // (of // greatest(abs(of) // 1_000_000_000_000_000_000, 1));
-- By the place of the meter.
CREATE TEMP MACRO focus_meters() AS ['input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output', 'other'];
CREATE TEMP MACRO focus_words() AS
    ['Input Tokens', 'Cache Read Input Tokens', 'Cache Write Input Tokens', 'Cache Write Input Tokens (1 h)',
     'Output Tokens', 'Other'];
-- A text made of parts, in which quotes are doubled where the file is CSV; and one of our own as such a part.
CREATE TEMP MACRO focus_cell(text) AS CASE WHEN $is_csv THEN '"' || text || '"' ELSE text END;
CREATE TEMP MACRO focus_part(text) AS CASE WHEN $is_csv THEN replace(text, '"', '""') ELSE text END;
CREATE TEMP MACRO focus_details() AS
    [focus_part(',"x_TokenDirection":"Input","x_TokenCacheAction":"Uncached"}'),
     focus_part(',"x_TokenDirection":"Input","x_TokenCacheAction":"Read"}'),
     focus_part(',"x_TokenDirection":"Input","x_TokenCacheAction":"Write"}'),
     focus_part(',"x_TokenDirection":"Input","x_TokenCacheAction":"Write"}'),
     focus_part(',"x_TokenDirection":"Output"}'), '}'];
