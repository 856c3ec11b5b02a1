"""How fast messages become durable rows, beside other pipelines, on the machine at hand."""
