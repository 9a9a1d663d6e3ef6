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

MODULE_CACHE=$(dirname "$folder")/modules
export MODULE_CACHE

# A folder that is gone would leave its image behind.
rm -rf "$folder"
mkdir -p "$folder"
"$script" "$package" "$folder/core-i386"
[ $# -eq 0 ] || printf '%s\n' "$@" |
  xargs -P "$(nproc)" -I VARIANT "$script" "$package" "$folder/core-i386-VARIANT" VARIANT

{
  echo "// Made by Plugins/KernelImages from Sources/KernelCore."
  echo "extension KernelImages {"
  echo "  static let generated: [String: String] = ["
  for image in "$folder"/*; do
    printf '    "%s": "' "$(basename "$image")"
    base64 -w 0 "$image"
    printf '",\n'
  done
  echo "  ]"
  echo "}"
} > "$source.new"
mv "$source.new" "$source"
