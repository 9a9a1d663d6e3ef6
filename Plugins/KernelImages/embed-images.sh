#!/bin/sh
# Builds the kernel's images and writes the Swift file that carries them.
#
#   embed-images.sh PACKAGE FOLDER SOURCE [VARIANT...]
#
# The ELF files go to FOLDER, where an emulator can boot them, and SOURCE is the Swift file.
set -eu

package=$1
folder=$2
source=$3
shift 3
script=$package/Plugins/KernelImages/build-image.sh

mkdir -p "$folder"
"$script" "$package" "$folder/core-i386"
for variant in "$@"; do
  "$script" "$package" "$folder/core-i386-$variant" "$variant"
done

{
  echo "// Made by Plugins/KernelImages from Sources/KernelCore."
  echo "extension KernelImages {"
  echo "  static let generated: [String: String] = ["
  for name in core-i386 $(printf 'core-i386-%s\n' "$@"); do
    [ "$name" = core-i386- ] && continue
    printf '    "%s": "' "$name"
    base64 -w 0 "$folder/$name"
    printf '",\n'
  done
  echo "  ]"
  echo "}"
} > "$source.new"
mv "$source.new" "$source"
