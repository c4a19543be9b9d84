import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.cassandra.utils.Clock;

/** The wall clock of a node, as far ahead of the machine's as a file says; it is looked at every 50 ms. */
public final class ShiftedClock implements Clock {
  private static final long LOOK_NANOS = 50_000_000;
  private static final Path FILE = Path.of(System.getProperty("shifted.clock.file"));

  private volatile long aheadMillis = read();
  private volatile long lookedNanos = System.nanoTime();

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public long currentTimeMillis() {
    long now = System.nanoTime();
    if (now - lookedNanos > LOOK_NANOS) {
      lookedNanos = now;
      aheadMillis = read();
    }
    return System.currentTimeMillis() + aheadMillis;
  }

  private static long read() {
    try {
      return Long.parseLong(Files.readString(FILE));
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }
}
