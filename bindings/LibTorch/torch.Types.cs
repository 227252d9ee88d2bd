using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace AsrPlatform.LibTorch;

/// <summary>Where a tensor lives, under LibTorch's numbers.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
    MPS = 13,
    META = 14,
}

/// <summary>What <see cref="torch.nn.functional.pad(torch.Tensor, long[], PaddingModes, double)"/> puts around a tensor.</summary>
public enum PaddingModes
{
    Zeros = 0,
    Reflect = 1,
    Replicate = 2,
    Circular = 3,
    Constant = 4,
}

/// <summary>Which direction of a Fourier transform carries the factor 1/n (or both 1/sqrt n).</summary>
public enum FFTNormType
{
    Backward = 0,
    Forward = 1,
    Ortho = 2,
}

/// <summary>LibTorch, under the names of TorchSharp: code that compiles against this compiles against TorchSharp.</summary>
/// <remarks>
/// A tensor belongs to whoever made it, or to the <see cref="DisposeScope"/> that was open on its thread. Operations may run
/// on any thread; one tensor must not be written by two at once. What LibTorch refuses is thrown as
/// <see cref="System.Runtime.InteropServices.ExternalException"/> with the first line of its message. Without the native
/// library every call throws <see cref="DllNotFoundException"/>, whose message says what to do.
/// </remarks>
[SuppressMessage("Naming", "CA1724:Type names should not match namespaces", Justification = "TorchSharp's name.")]
public static partial class torch
{
    /// <summary>The type of a tensor's elements, under LibTorch's numbers.</summary>
    [SuppressMessage("Design", "CA1028:Enum Storage should be Int32", Justification = "TorchSharp's type.")]
    public enum ScalarType : sbyte
    {
        Byte = 0,
        Int8 = 1,
        Int16 = 2,
        Int32 = 3,
        Int64 = 4,
        Float16 = 5,
        Float32 = 6,
        Float64 = 7,
        ComplexFloat32 = 9,
        ComplexFloat64 = 10,
        Bool = 11,
        BFloat16 = 15,
    }

    /// <summary>How a division rounds.</summary>
    public enum RoundingMode
    {
        None = 0,
        trunc = 1,
        floor = 2,
    }

    /// <summary>A device: its kind and, for several of a kind, its number (-1: the current one).</summary>
    public sealed class Device
    {
        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = index;
        }

        /// <param name="description"><c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>…</param>
        /// <exception cref="ArgumentException">No such kind of device.</exception>
        public Device(string description)
        {
            ArgumentNullException.ThrowIfNull(description);
            var colon = description.IndexOf(':', StringComparison.Ordinal);
            index = -1;
            var kind = description;
            if (colon >= 0)
            {
                kind = description[..colon];
                index = int.TryParse(description.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    ? number
                    : throw new ArgumentException($"'{description}' is no device: the number after the colon is missing.", nameof(description));
            }
            type = KindOf(kind);
        }

        public Device(string deviceType, int index = -1)
        {
            type = KindOf(deviceType);
            this.index = index;
        }

        /// <summary>The CUDA device of that number.</summary>
        public Device(int index)
        {
            type = DeviceType.CUDA;
            this.index = index;
        }

        public DeviceType type { get; }

        public int index { get; }

        public static implicit operator Device(string description) => new(description);

        public override string ToString()
        {
            var kind = type switch
            {
                DeviceType.CPU => "cpu",
                DeviceType.CUDA => "cuda",
                DeviceType.MPS => "mps",
                _ => "meta",
            };
            return type == DeviceType.CPU || index < 0 ? kind : $"{kind}:{index}";
        }

        private static DeviceType KindOf(string kind) => kind.ToUpperInvariant() switch
        {
            "CPU" => DeviceType.CPU,
            "CUDA" => DeviceType.CUDA,
            "MPS" => DeviceType.MPS,
            "META" => DeviceType.META,
            _ => throw new ArgumentException($"'{kind}' is no kind of device; there are cpu, cuda, mps and meta."),
        };
    }

    public static readonly Device CPU = new(DeviceType.CPU);

    private static readonly Device AnyCuda = new(DeviceType.CUDA);

    /// <summary>The current CUDA device.</summary>
    public static Device CUDA => AnyCuda;

    public static Device device(string description) => new(description);

    public static Device device(string deviceType, int index = -1) => new(deviceType, index);

    public static Device device(DeviceType deviceType, int index = -1) => new(deviceType, index);

    public static Device device(int index) => new(index);

    public static readonly ScalarType @bool = ScalarType.Bool;
    public static readonly ScalarType uint8 = ScalarType.Byte;
    public static readonly ScalarType int8 = ScalarType.Int8;
    public static readonly ScalarType int16 = ScalarType.Int16;
    public static readonly ScalarType int32 = ScalarType.Int32;
    public static readonly ScalarType int64 = ScalarType.Int64;
    public static readonly ScalarType bfloat16 = ScalarType.BFloat16;
    public static readonly ScalarType float16 = ScalarType.Float16;
    public static readonly ScalarType float32 = ScalarType.Float32;
    public static readonly ScalarType float64 = ScalarType.Float64;
    public static readonly ScalarType complex64 = ScalarType.ComplexFloat32;
    public static readonly ScalarType complex128 = ScalarType.ComplexFloat64;
    public static readonly ScalarType @short = ScalarType.Int16;
    public static readonly ScalarType @int = ScalarType.Int32;
    public static readonly ScalarType @long = ScalarType.Int64;
    public static readonly ScalarType half = ScalarType.Float16;
    public static readonly ScalarType @float = ScalarType.Float32;
    public static readonly ScalarType @double = ScalarType.Float64;

    /// <summary>The type of tensors that are made without one: Float32.</summary>
    public static ScalarType get_default_dtype() => ScalarType.Float32;

    public static bool is_floating_point(ScalarType type) =>
        type is ScalarType.Float16 or ScalarType.Float32 or ScalarType.Float64 or ScalarType.BFloat16;

    public static bool is_integral(ScalarType type) =>
        type is ScalarType.Byte or ScalarType.Int8 or ScalarType.Int16 or ScalarType.Int32 or ScalarType.Int64 or ScalarType.Bool;

    public static bool is_complex(ScalarType type) => type is ScalarType.ComplexFloat32 or ScalarType.ComplexFloat64;
}
