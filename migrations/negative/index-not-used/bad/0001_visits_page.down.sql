DROP INDEX visits_page_idx;
