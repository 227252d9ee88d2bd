using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    /// <summary>A source of random numbers with a state of its own.</summary>
    public sealed class Generator : IDisposable
    {
        private nint _handle;

        public Generator(ulong seed = 0, Device? device = null)
            : this(asrt_generator_new(unchecked((long)seed), (int)(device ?? CPU).type, (device ?? CPU).index), device ?? CPU)
        {
        }

        private Generator(nint handle, Device device)
        {
            _handle = handle != 0 ? handle : throw Shim.Error();
            this.device = device;
        }

        ~Generator() => Free();

        /// <summary>The generator that operations on the CPU draw from when none is given.</summary>
        public static Generator Default => new(asrt_generator_default((int)DeviceType.CPU, -1), CPU);

        public Device device { get; }

        public nint Handle
        {
            get
            {
                ObjectDisposedException.ThrowIf(_handle == 0, this);
                return _handle;
            }
        }

        /// <summary>The whole state as a tensor of bytes, for <see cref="set_state"/>.</summary>
        public Tensor get_state() => Shim.Wrap(asrt_generator_state(Handle), this);

        public void set_state(Tensor value)
        {
            Shim.Check(asrt_generator_set_state(Handle, value.Handle));
            GC.KeepAlive(this);
            GC.KeepAlive(value);
        }

        public Generator manual_seed(long seed)
        {
            Shim.Check(asrt_generator_seed(Handle, seed));
            return this;
        }

        /// <summary>Seeds it with a number from the system and returns that.</summary>
        public long seed()
        {
            long result;
            Shim.Check(asrt_generator_new_seed(Handle, &result));
            GC.KeepAlive(this);
            return result;
        }

        public long initial_seed()
        {
            long result;
            Shim.Check(asrt_generator_initial_seed(Handle, &result));
            GC.KeepAlive(this);
            return result;
        }

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        private void Free()
        {
            var handle = Interlocked.Exchange(ref _handle, 0);
            if (handle != 0)
            {
                asrt_generator_free(handle);
            }
        }
    }

    /// <summary>Seeds the default generators of every device; returns the CPU's.</summary>
    public static Generator manual_seed(long seed) => random.manual_seed(seed);

    public static Tensor get_rng_state() => random.get_rng_state();

    public static void set_rng_state(Tensor new_state) => random.set_rng_state(new_state);

    public static long initial_seed() => random.initial_seed();

    /// <summary>The default generators.</summary>
    public static class random
    {
        /// <inheritdoc cref="torch.manual_seed"/>
        public static Generator manual_seed(long seed)
        {
            Shim.Check(asrt_manual_seed(seed));
            return Generator.Default;
        }

        public static Tensor get_rng_state()
        {
            using var generator = Generator.Default;
            return generator.get_state();
        }

        public static void set_rng_state(Tensor new_state)
        {
            using var generator = Generator.Default;
            generator.set_state(new_state);
        }

        public static long initial_seed()
        {
            using var generator = Generator.Default;
            return generator.initial_seed();
        }
    }
}
