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

# Whether a variant's folder is for a machine: one with a folder for one machine is for that one only.
suits() {
  [ -d "$1/$2" ] || { [ ! -d "$1/i386" ] && [ ! -d "$1/x86_64" ]; }
}

# ARCH VARIANT OUTPUT for each image.
list() {
  for arch in i386 x86-64; do
    machine=$(echo "$arch" | tr - _)
    echo "$arch '' $folder/core-$arch"
    for variant in "$@"; do
      of_variant=$package/Sources/KernelCore/Variants/$variant
      base=$of_variant
      [ ! -f "$of_variant/base" ] || base=$package/Sources/KernelCore/Variants/$(cat "$of_variant/base")
      if suits "$of_variant" "$machine" && suits "$base" "$machine"; then
        echo "$arch $variant $folder/core-$arch-$variant"
      fi
    done
  done
}

# One image first: it compiles the modules that all share.
list "$@" | head -n 1 | xargs -L 1 sh -c '"$0" "$1" "$4" "$2" "$3"' "$script" "$package"
list "$@" | tail -n +2 |
  xargs -L 1 -P "$(nproc)" sh -c '"$0" "$1" "$4" "$2" "$3"' "$script" "$package"

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
