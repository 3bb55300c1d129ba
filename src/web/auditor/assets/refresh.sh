#!/usr/bin/env bash
# Fetches the style and the font that are built into the binary, and notes where they come from. Needs npm; run it, look at the difference, commit.
#
#   src/web/auditor/assets/refresh.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
css=1.22.0
theme=1.11.0
inter=5.3.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --ignore-scripts "@digdir/designsystemet-css@$css" "@digdir/designsystemet-theme@$theme" "@fontsource-variable/inter@$inter"
modules=$work/node_modules
cp "$modules/@digdir/designsystemet-css/dist/src/index.css" "$here/designsystemet.css"
cp "$modules/@digdir/designsystemet-theme/src/themes/designsystemet.css" "$here/designsystemet-theme.css"
cp "$modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" "$here/inter-latin.woff2"
cp "$modules/@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2" "$here/inter-latin-ext.woff2"
{
    echo "designsystemet.css: @digdir/designsystemet-css $css (dist/src/index.css), https://github.com/digdir/designsystemet"
    echo "designsystemet-theme.css: @digdir/designsystemet-theme $theme (src/themes/designsystemet.css), the same"
    echo
    cat "$modules/@digdir/designsystemet-css/LICENSE"
    echo
    echo "inter-latin.woff2, inter-latin-ext.woff2: @fontsource-variable/inter $inter, https://github.com/rsms/inter"
    echo
    cat "$modules/@fontsource-variable/inter/LICENSE"
} >"$here/LICENSES"
