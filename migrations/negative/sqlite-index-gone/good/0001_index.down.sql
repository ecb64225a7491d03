CREATE INDEX reading_sensor ON reading (sensor);
DROP INDEX reading_sensor_at;
