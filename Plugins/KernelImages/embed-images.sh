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

# An image is built again only if something that goes into it has changed: what all share, or its variant.
mkdir -p "$folder"
core=$package/Sources/KernelCore
shared=$("${SWIFTC:-swiftc}" --version 2>/dev/null | cksum; cat "$script" $(find "$core/Portable" "$core/Kernel" "$core/User" "$core/Headers" \
  "$core/i386" "$core/x86_64" -type f | sort) | cksum)

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

# The lines of those that are to be built. What is there already has a key of what it was made from.
changed() {
  while read -r arch variant output; do
    key=$shared
    if [ "$variant" != "''" ]; then
      of_variant=$core/Variants/$variant
      folders=$of_variant
      [ ! -f "$of_variant/base" ] || folders="$folders $core/Variants/$(cat "$of_variant/base")"
      key="$key $(cat $(find $folders -type f | sort) | cksum) $(find $folders -type f | cksum)"
    fi
    if [ ! -f "$output" ] || [ "$(cat "$output.key" 2>/dev/null)" != "$key" ]; then
      rm -f "$output"
      echo "$key" > "$output.key"
      echo "$arch $variant $output"
    fi
  done
}

# Those of a variant that is gone.
kept=$(list "$@")
for image in "$folder"/core-*; do
  case $image in *.key) continue ;; esac
  [ ! -e "$image" ] || echo "$kept" | grep -q " $image\$" || rm -rf "$image" "$image.key"
done

# One image first: it compiles the modules that all share.
todo=$(list "$@" | changed)
if [ -n "$todo" ]; then
  echo "$todo" | head -n 1 | xargs -L 1 sh -c '"$0" "$1" "$4" "$2" "$3"' "$script" "$package"
  echo "$todo" | tail -n +2 |
    xargs -r -L 1 -P "$(nproc)" sh -c '"$0" "$1" "$4" "$2" "$3"' "$script" "$package"
fi

{
  echo "// Made by Plugins/KernelImages from Sources/KernelCore."
  echo "extension KernelImages {"
  echo "  static let generated: [String: String] = ["
  for image in "$folder"/*; do
    case $image in *.key) continue ;; esac
    printf '    "%s": "' "$(basename "$image")"
    base64 -w 0 "$image"
    printf '",\n'
  done
  echo "  ]"
  echo "}"
} > "$source.new"
mv "$source.new" "$source"
