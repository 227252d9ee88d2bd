namespace AsrPlatform.OnnxRuntime
{
    /// <summary>How much the runtime rewrites a graph before it runs.</summary>
    public enum GraphOptimizationLevel
    {
        ORT_DISABLE_ALL = 0,
        ORT_ENABLE_BASIC = 1,
        ORT_ENABLE_EXTENDED = 2,
        ORT_ENABLE_ALL = 99,
    }

    /// <summary>Whether branches of a graph run one after the other or beside each other.</summary>
    public enum ExecutionMode
    {
        ORT_SEQUENTIAL = 0,
        ORT_PARALLEL = 1,
    }

    /// <summary>The least severe messages that the runtime writes to stderr.</summary>
    public enum OrtLoggingLevel
    {
        ORT_LOGGING_LEVEL_VERBOSE = 0,
        ORT_LOGGING_LEVEL_INFO = 1,
        ORT_LOGGING_LEVEL_WARNING = 2,
        ORT_LOGGING_LEVEL_ERROR = 3,
        ORT_LOGGING_LEVEL_FATAL = 4,
    }

    /// <summary>What a value or a graph's input is.</summary>
    public enum OnnxValueType
    {
        ONNX_TYPE_UNKNOWN = 0,
        ONNX_TYPE_TENSOR = 1,
        ONNX_TYPE_SEQUENCE = 2,
        ONNX_TYPE_MAP = 3,
        ONNX_TYPE_OPAQUE = 4,
        ONNX_TYPE_SPARSETENSOR = 5,
        ONNX_TYPE_OPTIONAL = 6,
    }

    /// <summary>Who allocates: the device itself or an arena.</summary>
    public enum OrtAllocatorType
    {
        DeviceAllocator = 0,
        ArenaAllocator = 1,
    }

    /// <summary>What memory of an execution provider is for.</summary>
    public enum OrtMemType
    {
        /// <summary>Processor memory that a provider of another device reads.</summary>
        CpuInput = -2,

        /// <summary>Processor memory that a provider of another device writes.</summary>
        CpuOutput = -1,

        /// <inheritdoc cref="CpuOutput" />
        Cpu = CpuOutput,

        /// <summary>The provider's own memory.</summary>
        Default = 0,
    }
}

namespace AsrPlatform.OnnxRuntime.Tensors
{
    /// <summary>The types of tensors' elements, by ONNX's numbers.</summary>
    public enum TensorElementType
    {
        DataTypeMax = 0,
        Float = 1,
        UInt8 = 2,
        Int8 = 3,
        UInt16 = 4,
        Int16 = 5,
        Int32 = 6,
        Int64 = 7,
        String = 8,
        Bool = 9,
        Float16 = 10,
        Double = 11,
        UInt32 = 12,
        UInt64 = 13,
        Complex64 = 14,
        Complex128 = 15,
        BFloat16 = 16,
    }
}
