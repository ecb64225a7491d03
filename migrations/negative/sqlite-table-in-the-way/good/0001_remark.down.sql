ALTER TABLE purchase DROP COLUMN remark_id;
DROP TABLE remark;
