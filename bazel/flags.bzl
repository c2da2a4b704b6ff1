"""Build settings."""

def _string_flag_impl(_ctx):
    return []

string_flag = rule(
    implementation = _string_flag_impl,
    build_setting = config.string(flag = True),
    doc = "A string given on the command line and read by config_setting.",
)
