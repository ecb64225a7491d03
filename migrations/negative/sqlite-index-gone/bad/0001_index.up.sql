DROP INDEX reading_sensor;
