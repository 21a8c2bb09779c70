import { memoryRecords } from "../../../src/core/store/memory-records.ts";
import { describeRecords } from "../../contract/record-store.ts";

describeRecords("of this process", async () => {
  const store = memoryRecords();
  return async () => store;
});
