-- Meters that publish a register only: their mean power is worked out from one register to the next.
ALTER TABLE sensing.energy ADD COLUMN power_from_register boolean;
COMMENT ON COLUMN sensing.energy.power_from_register IS 'Whether the power was worked out from this register and the next one, and not reported.';

ALTER TABLE sensing.sensor ADD COLUMN register_kwh double precision
    CHECK (register_kwh > 0 AND register_kwh < 'Infinity');
COMMENT ON COLUMN sensing.sensor.register_kwh IS 'Where the meter''s register starts again from zero [kWh], as its meta message says.';
