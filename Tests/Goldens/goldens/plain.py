"""Configurations as plain JSON values, with what no golden depends on left out."""
IRRELEVANT = {"name", "trainable", "dtype", "seed", "batch_input_shape", "build_config", "lora_rank", "lora_alpha", "gptq_unrolled_pack",
              "autocast", "quantization_config", "jit_compile", "loss_scale_factor", "gradient_accumulation_steps", "use_ema",
              "ema_momentum", "ema_overwrite_frequency", "fn"}


def plain(config):
    kept = {}
    for key, value in config.items():
        if key in IRRELEVANT or key.endswith(("_initializer", "_regularizer", "_constraint")):
            continue
        kept[key] = plain_value(value)
    return kept


def plain_value(value):
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return {"class_name": value["class_name"], "config": plain(value["config"])}
        return {k: plain_value(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(v) for v in value]
    return value.item() if hasattr(value, "item") and not isinstance(value, (bool, int, float)) else value
