#!/bin/sh
# Builds the kernel's images and writes the Swift file that carries them.
#
#   embed-images.sh PACKAGE FOLDER SOURCE
#
# The ELF files go to FOLDER, where an emulator can boot them, and SOURCE is the Swift file.
set -eu

package=$1
folder=$2
source=$3
script=$package/Plugins/KernelImages/build-image.sh

MODULE_CACHE=$(dirname "$folder")/modules
export MODULE_CACHE

# A folder that is gone would leave its image behind.
rm -rf "$folder"
mkdir -p "$folder"

# ARCH VARIANT OUTPUT CORE for each image. A variant with a folder for one machine is built for that one
# only.
list() {
  for core in core smp; do
    home=$package/Sources/KernelCore
    [ $core = core ] || home=$home/SMP
    for arch in i386 x86-64; do
      machine=$(echo "$arch" | tr - _)
      echo "$arch '' $folder/$core-$arch $core"
      for of_variant in "$home"/Variants/*/; do
        of_variant=${of_variant%/}
        variant=$(basename "$of_variant")
        # Files of its own for one machine only are files for that one.
        if [ -d "$of_variant/$machine" ] ||
          { [ -d "$of_variant" ] && [ ! -d "$of_variant/i386" ] && [ ! -d "$of_variant/x86_64" ]; }; then
          echo "$arch $variant $folder/$core-$arch-$variant $core"
        fi
      done
    done
  done
}

# Of each core one image first: it compiles the modules that all share.
build='"$0" "$1" "$4" "$2" "$3" "$5"'
list | grep "''" | xargs -L 1 sh -c "$build" "$script" "$package"
list | grep -v "''" | xargs -L 1 -P "$(nproc)" sh -c "$build" "$script" "$package"

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
