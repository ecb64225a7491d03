DROP INDEX setting_name;
