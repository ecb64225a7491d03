CREATE INDEX reading_sensor_at ON reading (sensor, at);
DROP INDEX reading_sensor;
