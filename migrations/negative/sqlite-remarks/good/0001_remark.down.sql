DROP TABLE remark;
